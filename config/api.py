"""How the API says no: RFC 9457 problems, each with a stable code.

No stack traces, no HTML, no secrets; a database that is away is 503, never ALLOW.
"""

from __future__ import annotations

import logging
import uuid
from http import HTTPStatus
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from psycopg_pool import PoolTimeout
from rest_framework import exceptions
from rest_framework.response import Response

from governance.errors import Problem, Refused

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 2


class Unavailable(Refused):
    code = "unavailable"
    status = 503


class NotAllowedMethod(Refused):
    code = "method_not_allowed"
    status = 405


class InternalError(Refused):
    code = "internal_error"
    status = 500


class NoSuchAddress(Refused):
    code = "not_found"
    status = 404


class BadSyntax(Refused):
    code = "malformed"
    status = 400


def handle_exception(exc: Exception, context: dict[str, Any]) -> Response:
    """Answer any exception of an API view as a problem."""
    refusal = as_refusal(exc)
    headers = _headers(refusal)
    if isinstance(exc, exceptions.MethodNotAllowed):
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="countersign"'
    body = problem(refusal, str(uuid.uuid4()))
    return Response(body, refusal.status, headers=headers, content_type=MEDIA_TYPE)


def as_refusal(exc: Exception) -> Refused:
    """Translate what libraries raise into our own words."""
    if isinstance(exc, Refused):
        return exc
    if isinstance(exc, exceptions.MethodNotAllowed):
        return NotAllowedMethod("This address does not take this method.")
    if isinstance(exc, Http404 | exceptions.NotFound):
        return NoSuchAddress("There is nothing at this address.")
    if isinstance(exc, RequestDataTooBig):
        return BadSyntax("The body is too large.", code="body_too_large", status=413)
    if isinstance(exc, SuspiciousOperation | BadRequest | exceptions.ParseError):
        return BadSyntax("The request cannot be read.")
    if isinstance(exc, OperationalError | InterfaceError | PoolTimeout):
        logger.error("The database did not answer: %s", exc)
        return Unavailable(
            "The database is not available. Nothing is allowed meanwhile. "
            "Try again, with the same Idempotency-Key.",
            retry_after=RETRY_AFTER,
        )
    logger.error("Unexpected %s", type(exc).__name__, exc_info=exc)
    if isinstance(exc, DatabaseError):
        return Unavailable(
            "This could not be stored. Try again, with the same Idempotency-Key.",
            retry_after=1,
        )
    return InternalError("Something went wrong here. Do not go ahead; try again later.")


def problem(refusal: Refused, request_id: str) -> dict[str, Any]:
    """Return the body of a refusal."""
    return {
        "type": f"urn:countersign:problem:{refusal.code}",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "code": refusal.code,
        "detail": str(refusal),
        "errors": [_place(place) for place in refusal.errors],
        "request_id": request_id,
    }


def _place(place: Problem) -> dict[str, str]:
    return {"path": place.path, "code": place.code, "detail": place.detail}


def _headers(refusal: Refused) -> dict[str, str]:
    retry = refusal.retry_after
    return {} if retry is None else {"Retry-After": str(retry)}


def answer(request: HttpRequest, refusal: Refused) -> JsonResponse:
    """Answer a refusal outside the views of REST framework."""
    body = problem(refusal, str(uuid.uuid4()))
    headers = _headers(refusal)
    return JsonResponse(
        body, status=refusal.status, headers=headers, content_type=MEDIA_TYPE
    )
