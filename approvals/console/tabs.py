"""Which lists of requests are there, and for whom is which?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F
from django.http import HttpRequest

from approvals.console import access, drifting
from approvals.models import ApprovalRequest, ApprovalRequestQuerySet, Vote
from governance.models import User

VIEW_PARAM = "show"
MOST_URGENT = (F("action__deadline_at").asc(nulls_last=True), "pk")
NEWEST = ("-pk",)
Rows = Callable[[User, datetime], ApprovalRequestQuerySet]


@dataclass(frozen=True, slots=True)
class View:
    """One tab of the queue."""

    name: str
    title: str
    rows: Rows
    empty: tuple[str, str]
    # Only what waits can be urgent, counted at a glance, and routed to somebody now.
    is_open: bool = True
    # Whether the tab is left out while there is nothing on it.
    occasional: bool = False
    # What its count says at first sight: info, or warn for what should not be there.
    tone: str = "quiet"

    @property
    def ordering(self) -> tuple[Any, ...]:
        return MOST_URGENT if self.is_open else NEWEST


def mine(user: User, at: datetime) -> ApprovalRequestQuerySet:
    return ApprovalRequest.objects.waiting_for(user)


def _snoozed(user: User, at: datetime) -> ApprovalRequestQuerySet:
    return ApprovalRequest.objects.snoozed_by(user)


def _others(user: User, at: datetime) -> ApprovalRequestQuerySet:
    """What one may see, and others are to decide; also in one's own place."""
    own = ApprovalRequest.objects.on_desk_of(user)
    visible = ApprovalRequest.objects.visible_to(user).open()
    return visible.exclude(pk__in=own.values("pk"))


def _overdue(user: User, at: datetime) -> ApprovalRequestQuerySet:
    return ApprovalRequest.objects.visible_to(user).late(at)


def _drifted(user: User, at: datetime) -> ApprovalRequestQuerySet:
    return drifting.rows(user)


def _decided(user: User, at: datetime) -> ApprovalRequestQuerySet:
    votes = Vote.objects.filter(person=user)
    return ApprovalRequest.objects.filter(pk__in=votes.values("request"))


def _visible(user: User, at: datetime) -> ApprovalRequestQuerySet:
    return ApprovalRequest.objects.visible_to(user)


MINE = View(
    "mine",
    "For me",
    mine,
    (
        "You are all caught up",
        "Nothing waits for you. New requests appear here, most urgent first.",
    ),
    tone="info",
)
VIEWS = (
    MINE,
    View(
        "waiting",
        "Waiting for others",
        _others,
        ("Nobody else is asked", "Requests that wait for others appear here."),
    ),
    View(
        "overdue",
        "Overdue",
        _overdue,
        (
            "Nothing is late",
            "What waits for longer than its stage has promised appears here.",
        ),
        tone="warn",
    ),
    View(
        "snoozed",
        "Snoozed",
        _snoozed,
        ("Nothing is put off", "What you leave for later appears here."),
        occasional=True,
    ),
    View(
        drifting.VIEW,
        "Rules changed",
        _drifted,
        (
            "Nothing would be judged differently",
            "When the rules change, what waits and would be judged differently by now "
            "appears here.",
        ),
        occasional=True,
        tone="warn",
    ),
    View(
        "decided",
        "Decided by me",
        _decided,
        ("No decisions yet", "What you approve or reject is kept here."),
        is_open=False,
    ),
    View(
        "all",
        "All",
        _visible,
        ("No requests yet", "What agents ask, and people decide, appears here."),
        is_open=False,
    ),
)


def named(name: str | None) -> View:
    """Return the tab of this name; what nobody knows is the first one."""
    return next((view for view in VIEWS if view.name == name), MINE)


def view_of(request: HttpRequest) -> View:
    """Return the tab that is asked for."""
    return named(request.GET.get(VIEW_PARAM))


def title(view: View, user: User) -> str:
    if view.name == "all" and not access.sees_everything(user):
        return "My groups"
    return view.title


def emptiness(view: View, user: User) -> tuple[str, str]:
    """Say what an empty list means, and to whom nothing is ever sent, why."""
    if view is MINE and not access.is_asked(user):
        return (
            "You are not asked to decide",
            "Flows ask groups. None of yours is named in one.",
        )
    return view.empty
