"""What does a caller see when Django itself says no? JSON below /api/, a page elsewhere.

The page needs neither session nor database: they may be what is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from config import api
from governance.errors import Refused
from governance.text_safety import visible, visible_line

API = "/api/"
# Fields in which people write more than a word.
WRITTEN = ("comment", "conditions", "checks", "reason")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return api.answer(request, api.as_refusal(exception))
    return _page(
        400,
        "This cannot be read",
        "What was sent is not what the console expects. Nothing of it was taken.",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith(API):
        return api.answer(request, api.as_refusal(exception))
    return _page(
        404,
        "There is nothing here",
        "The address may have been cut or mistyped, or what was here is gone.",
    )


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say why, and give back what was written: the form was theirs a moment ago."""
    if request.path.startswith(API):
        refusal = Refused("You may not do this.", code="not_allowed", status=403)
        return api.answer(request, refusal)
    return _page(
        403,
        "This is not open to you",
        str(exception) or f"{_name(request)} has no right to this page.",
        "Rights come from groups, and groups change. Ask whoever administers "
        f"{settings.UNFOLD['SITE_HEADER']}.",
        written=_written(request),
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say why a form was not taken: mostly it is older than the login.

    What was written in it is given back to those who sent it from here.
    """
    if request.path.startswith(API):
        return api.answer(request, Refused(reason, code="not_allowed", status=403))
    came_from = _came_from(request)
    back = came_from or reverse("admin:index")
    if request.user.is_authenticated:
        title, way = "You have logged in again", ("Look at it once more", back)
    else:
        login = f"{reverse('admin:login')}?{urlencode({'next': back})}"
        title, way = "You have been logged out", ("Log in again", login)
    return _page(
        403,
        title,
        "The page you sent this from was opened before that. Nothing of it was taken, "
        "and nothing was decided.",
        ways=[way],
        written=_written(request) if came_from else "",
        small=reason,
    )


def _name(request: HttpRequest) -> str:
    return visible_line(request.user.get_username()) or "A visitor"


def server_error(request: HttpRequest) -> HttpResponse:
    """A database that is away is 503 with a time to come back, for people as well."""
    exception = sys.exc_info()[1] or RuntimeError("unknown")
    refusal = api.as_refusal(exception)  # type: ignore[arg-type]
    if request.path.startswith(API):
        return api.answer(request, refusal)
    response = _fault(request, refusal)
    if refusal.retry_after:
        response["Retry-After"] = str(refusal.retry_after)
    return response


def _fault(request: HttpRequest, refusal: Refused) -> HttpResponse:
    if request.method in ("GET", "HEAD"):
        ways = [("Try again", request.get_full_path()), _overview()]
        what = "You have lost nothing: this page was only to be shown."
    else:
        ways = [_overview()]
        what = "Look whether it was taken before you send it again."
    if refusal.code == api.Unavailable.code:
        title = "The database does not answer"
        why = "Nothing is decided or allowed meanwhile. Try again in a moment."
    else:
        title = "Something went wrong"
        why = "The fault is ours, and it is in the log."
    return _page(refusal.status, title, why, what, ways=ways)


def _overview() -> tuple[str, str]:
    return "Overview", reverse("admin:index")


def _page(
    status: int,
    title: str,
    *sentences: str,
    ways: Iterable[tuple[str, str]] = (),
    written: str = "",
    small: str = "",
) -> HttpResponse:
    context = {
        "status": status,
        "title": title,
        "sentences": sentences,
        "ways": ways or [_overview()],
        "written": written,
        "small": small,
        "site": settings.UNFOLD["SITE_HEADER"],
    }
    response = HttpResponse(
        render_to_string("errors/page.html", context), status=status
    )
    response["Cache-Control"] = "no-store"
    return response


def _came_from(request: HttpRequest) -> str:
    """Return the page of ours that this was sent from, empty if it was none."""
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}):
        return ""
    parts = urlsplit(referer)
    path = f"/{parts.path.lstrip('/')}"
    return f"{path}?{parts.query}" if parts.query else path


def _written(request: HttpRequest) -> str:
    texts = (request.POST.get(name, "").strip() for name in WRITTEN)
    return visible("\n\n".join(filter(None, texts)))
