"""Every address the outside world may use."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import health, metrics, schemas
from notifications.slack.views import interact

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("favicon.ico", RedirectView.as_view(url="/static/countersign/icon.svg")),
    path("admin/dashboard/", include("approvals.console.dashboard.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("approvals.api.urls")),
    path("slack/interact", interact, name="slack-interact"),
    path("schemas/policy-file.json", schemas.policy_file, name="policy-file-schema"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.permission_denied"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
