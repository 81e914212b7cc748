"""What does a caller see when Django itself says no? JSON below /api/, a page elsewhere."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from config import api

API = "/api/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return api.answer(request, api.as_refusal(exception))
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return api.answer(request, api.as_refusal(exception))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """A database that is away is 503 with a time to come back, for people as well."""
    exception = sys.exc_info()[1] or RuntimeError("unknown")
    refusal = api.as_refusal(exception)  # type: ignore[arg-type]
    if request.path.startswith(API):
        return api.answer(request, refusal)
    response = defaults.server_error(request)
    response.status_code = refusal.status
    if refusal.retry_after:
        response["Retry-After"] = str(refusal.retry_after)
    return response
