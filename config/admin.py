"""What does the console leave out? Pages of libraries that nobody needs to work here."""

from __future__ import annotations

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse

# Importing it registers its pages: better here than after they have been taken away.
from django_q import admin as django_q_admin
from django_q.models import Failure, OrmQ, Schedule, Success

admin.site.index_title = "Overview"
for model in (Failure, OrmQ, Schedule, Success):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


def _not_there(request: HttpRequest) -> HttpResponse:
    """No form asks for completions: they would only name rules to those who guess."""
    raise Http404


admin.site.autocomplete_view = _not_there  # type: ignore[method-assign]

__all__ = ["django_q_admin"]
