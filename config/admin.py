"""What does the console leave out? Pages of libraries that nobody needs to work here."""

from __future__ import annotations

from django.contrib import admin

# Importing it registers its pages: better here than after they have been taken away.
from django_q import admin as django_q_admin
from django_q.models import Failure, OrmQ, Schedule, Success

admin.site.index_title = "Overview"
for model in (Failure, OrmQ, Schedule, Success):
    if admin.site.is_registered(model):
        admin.site.unregister(model)

__all__ = ["django_q_admin"]
