"""Where is the dashboard? Below the console's own address, behind its own door."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from approvals.console.dashboard import page

urlpatterns = [
    path("", admin.site.admin_view(page.dashboard), name="dashboard"),
    path("budgets/", admin.site.admin_view(page.budgets), name="dashboard-budgets"),
]
