"""What has happened to a request since somebody was shown it?

A page asks every two seconds while it is open, and is told when it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache

from approvals import authority
from approvals.console import access, standing, timeline
from approvals.console.words import VERDICTS, Label, span
from approvals.models import ApprovalRequest, Vote
from governance import clock
from governance.console import number
from governance.errors import Refused
from governance.ledger import Kind
from governance.models import Action, Event, User

REVIEW = "admin:approvals_approvalrequest_change"
MOST = 5
# What changes nothing about the decision: looks, messages, and stages of their own.
QUIET = [
    Kind.VIEWED,
    Kind.PRINTED,
    Kind.NOTIFIED,
    Kind.NOTIFICATION_FAILED,
    Kind.WEBHOOK_SENT,
    Kind.WEBHOOK_FAILED,
    Kind.WEBHOOK_REPLAYED,
    Kind.DECISION_REFUSED,
    Kind.CONSUME_REFUSED,
    Kind.REMINDED,
    Kind.SLA_BREACHED,
    Kind.SNOOZED,
    Kind.CLAIMED,
    Kind.RELEASED,
]


def last_step(action: Action) -> int:
    """Return the last step on record about an action: pages are compared with it."""
    events = Event.objects.about(action).order_by("-id")
    return events.values_list("id", flat=True).first() or 0


def steps_since(action: Action, seen: int) -> list[Event]:
    """Return what has happened after that step, oldest first."""
    later = Event.objects.about(action).filter(pk__gt=seen).exclude(kind__in=QUIET)
    return list(later.order_by("id"))


@never_cache
def ask(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Answer a page that asks, and tell it when nobody is logged in any more.

    Not wrapped by the admin, which would send a page to log in to where news is expected.
    """
    if admin.site.has_permission(request):
        return _moved(request, object_id)
    page = reverse(REVIEW, args=[object_id])
    if "HX-Request" not in request.headers:
        return redirect_to_login(page, reverse("admin:login"))
    return render(request, "approvals/console/left.html", {"page": page})


def _moved(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Say nothing (204), or what has happened since ``seen``."""
    person = access.person(request)
    visible = ApprovalRequest.objects.visible_to(person).select_related("action__agent")
    approval = get_object_or_404(visible, pk=object_id)
    events = steps_since(approval.action, number(request.GET.get("seen", "")))
    if not events:
        return HttpResponse(status=204)
    context = {"move": Move(approval, person, events, clock.now())}
    return render(request, "approvals/console/moved.html", context)


class Move:
    """What somebody has to hear who has a request open."""

    def __init__(
        self, request: ApprovalRequest, person: User, events: list[Event], at: datetime
    ) -> None:
        self.request, self.person, self.events, self.at = request, person, events, at

    @property
    def seen(self) -> int:
        return self.events[-1].pk

    @property
    def sentences(self) -> list[str]:
        """Say the latest of it, each thing once: ``bob approved this a moment ago.``"""
        told = [
            f"{said} {_ago(e.at, self.at)}." for e in self.events if (said := _tell(e))
        ]
        return told[-MOST:] or ["Something has changed."]

    @cached_property
    def refusal(self) -> Refused | None:
        """Why this person could not decide on what their page shows any more."""
        course = standing.courses_of([self.request], self.at)[self.request.pk]
        found = authority.standing(course, self.request, self.person, self.at)
        return found.refusal

    @property
    def latest(self) -> ApprovalRequest | None:
        return latest(self.request, self.person)


@dataclass(frozen=True, slots=True)
class Turned:
    """A verdict that was refused: why, and what has happened since the page was shown.

    ``shown`` is what was on the page, ``comment`` what was written there.
    """

    refusal: Refused
    shown: ApprovalRequest
    steps: list[timeline.Entry]
    comment: str = ""


def latest(request: ApprovalRequest, person: User) -> ApprovalRequest | None:
    """Return the later revision that took this one's place, if the person may see it."""
    visible = ApprovalRequest.objects.visible_to(person)
    later = visible.filter(action=request.action_id, revision__gt=request.revision)
    return later.select_related("action__agent").order_by("-revision").first()


def told(events: list[Event]) -> list[timeline.Entry]:
    return [entry for event in events if (entry := timeline.tell(event))]


def _tell(event: Event) -> str:
    match event.kind:
        case Kind.VOTED:
            said: Label = VERDICTS[Vote.Verdict(event.data["verdict"])]
            return f"{timeline.who(event)} {said.text}{_OF[event.data['verdict']]}"
        case Kind.REVISED:
            return "A new revision came"
        case _ if event.kind in _FOLLOWING:
            # Whoever said so has been named.
            return ""
        case _:
            entry = timeline.tell(event)
            return entry.text if entry else ""


# What follows from what somebody did.
_FOLLOWING = [
    Kind.APPROVED,
    Kind.REJECTED,
    Kind.CHANGES_REQUESTED,
    Kind.STAGE_OPENED,
    Kind.STAGE_CLOSED,
]
_OF = {"approve": " this", "reject": " this", "request_changes": ""}


def _ago(then: datetime, at: datetime) -> str:
    passed = span(at - then)
    return "a moment ago" if passed == "under a minute" else f"{passed} ago"
