"""Has the list changed since a page was shown? Asked every second, answered cheaply.

A page holds a mark: when it was read, and what was on record just before that. Events
do not commit in the order of their ids, so the mark sums up the latest seconds instead
of naming the last event: one that commits late changes it all the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.urls import reverse

from approvals.console import access, alarms, looks
from governance import clock
from governance.ledger import Kind
from governance.models import Event

QUEUE = "admin:approvals_approvalrequest_changelist"
PARAM = "mark"
# Longer than it takes from reading the clock to the commit.
OVERLAP = timedelta(seconds=20)
# What the clock alone changes (times left, who is snoozed) is read anew after that.
FRESH = timedelta(seconds=60)
# What changes no list: of these there are most.
QUIET = {
    Kind.SUBMITTED,
    Kind.SUBMIT_REFUSED,
    Kind.ALLOWED,
    Kind.BLOCKED,
    Kind.NOTIFIED,
    Kind.NOTIFICATION_FAILED,
    Kind.WEBHOOK_CHANGED,
    Kind.WEBHOOK_DISABLED,
    Kind.WEBHOOK_SENT,
    Kind.WEBHOOK_FAILED,
    Kind.WEBHOOK_STUCK,
    Kind.WEBHOOK_REPLAYED,
    Kind.VIEWED,
    Kind.PRINTED,
    Kind.CONSUME_REFUSED,
    Kind.DECISION_REFUSED,
    Kind.KEY_ISSUED,
    Kind.KEY_REFUSED,
    Kind.KEY_IN_URL,
    Kind.LOGGED_IN,
    Kind.LOGGED_OUT,
    Kind.LOGIN_FAILED,
    Kind.EXPORTED,
    Kind.EXPORT_ENDED,
}
MOVING = [str(kind) for kind in Kind if kind not in QUIET]
# Tells htmx to stop asking.
STOP = 286


def mark(at: datetime) -> str:
    """Return what differs once anything has changed after ``at``."""
    return f"{at.isoformat()}~{_state(at, at)}"


def is_current(text: str, at: datetime) -> bool:
    """Whether nothing has changed since this mark was made, and it is no older than a
    page may be."""
    since, _, state = text.partition("~")
    try:
        read_at = datetime.fromisoformat(since)
        age = at - read_at
    except (ValueError, TypeError, OverflowError):
        return False
    fresh = timedelta(0) <= age <= FRESH
    return fresh and state == _state(read_at, at)


def _state(since: datetime, at: datetime) -> str:
    events = Event.objects.filter(kind__in=MOVING, at__gte=since - OVERLAP)
    found = events.order_by().aggregate(Count("pk"), Sum("pk"))
    return f"{found['pk__count']}-{found['pk__sum'] or 0}~{looks.mark(at)}"


def ask(request: HttpRequest, model_admin: Any) -> HttpResponse:
    """Answer with nothing, or with what the page has to show instead."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    by_page = "HX-Request" in request.headers
    if not model_admin.admin_site.has_permission(request):
        login = redirect_to_login(reverse(QUEUE), reverse("admin:login"))
        return _stop(request) if by_page else login
    if not by_page:
        return redirect(QUEUE)
    params = request.GET.copy()
    known = params.pop(PARAM, [""])[-1]
    if is_current(known, clock.now()):
        return HttpResponse(status=204)
    if not access.may_open(request):
        return _stop(request)
    request.GET = params  # type: ignore[assignment]
    context = {
        "cl": model_admin.get_changelist_instance(request),
        "opts": model_admin.opts,
        "is_update": True,
        **alarms.context(request),
    }
    return render(request, "approvals/console/live.html", context)


def _stop(request: HttpRequest) -> HttpResponse:
    """Say that nobody is logged in any more, beside the list and not in it."""
    params = request.GET.copy()
    params.pop(PARAM, None)
    page = f"{reverse(QUEUE)}?{params.urlencode()}"
    answer = render(request, "approvals/console/gone.html", {"page": page}, status=STOP)
    answer["HX-Reswap"] = "none"
    return answer
