"""What is new for whoever is logged in? The bell asks every few seconds."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from governance.console import person
from notifications import badges
from notifications.models import Delivery
from notifications.views import notice_of

# A desktop that was asleep is not told everything at once.
MOST = 3


@require_safe
def unread(request: HttpRequest) -> HttpResponse:
    """Answer with what has changed since the page knew ``unread`` and ``newest``.

    204 if nothing has. Else ``{"unread", "shown", "newest", "notices"}``: how many, the
    same as text, the key of the newest, and what is new since, each with ``id``,
    ``title``, ``body`` and ``url``.
    """
    me = person(request)
    rows = Delivery.objects.unread(me).order_by("-pk")
    newest, count = badges.newest(me), badges.count(me)
    known = _number(request, "unread"), _number(request, "newest")
    if known == (count, newest):
        return HttpResponse(status=204)
    fresh = rows.filter(pk__gt=known[1])[:MOST] if known[1] is not None else ()
    return JsonResponse(
        {
            "unread": count,
            "shown": badges.shown(count),
            "newest": newest,
            "notices": [_told(delivery) for delivery in fresh],
        }
    )


def _told(delivery: Delivery) -> dict[str, Any]:
    notice = notice_of(delivery)
    return {
        "id": delivery.pk,
        "title": notice.headline,
        "body": notice.matter,
        "url": notice.url,
    }


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    plain = text.isascii() and text.isdecimal() and len(text) < 16
    return int(text) if plain else None
