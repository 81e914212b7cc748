"""What waits for whom? The list people start from, most urgent first."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import F, Q
from django.http import HttpRequest, QueryDict
from unfold.views import ChangeList

from approvals.console import access, attention, drifting, standing, words
from approvals.course import Course
from approvals.models import ApprovalRequest, ApprovalRequestQuerySet
from governance import clock
from governance.models import User

VIEW_PARAM = "show"
MOST_URGENT = (F("action__deadline_at").asc(nulls_last=True), "pk")
NEWEST = ("-pk",)


@dataclass(frozen=True, slots=True)
class View:
    """One tab of the queue."""

    name: str
    title: str
    rows: Callable[[User], ApprovalRequestQuerySet]
    ordering: tuple[Any, ...] = NEWEST
    counted: bool = False
    empty: tuple[str, str] = ("Nothing here", "")
    # For a tab that is left out while there is nothing on it: how much there is.
    occasional: Callable[[HttpRequest], int] | None = None


def _mine(user: User) -> ApprovalRequestQuerySet:
    return ApprovalRequest.objects.waiting_for(user)


def _snoozed(user: User) -> ApprovalRequestQuerySet:
    return ApprovalRequest.objects.snoozed_by(user)


def _count_snoozed(request: HttpRequest) -> int:
    return _snoozed(access.person(request)).count()


def _others(user: User) -> ApprovalRequestQuerySet:
    """What one may see, and others are to decide; also in one's own place."""
    visible = ApprovalRequest.objects.visible_to(user).open()
    others = visible.exclude(pk__in=_mine(user).values("pk"))
    return others.exclude(pk__in=_snoozed(user).values("pk"))


def _decided(user: User) -> ApprovalRequestQuerySet:
    return ApprovalRequest.objects.filter(votes__person=user)


def _visible(user: User) -> ApprovalRequestQuerySet:
    return ApprovalRequest.objects.visible_to(user)


MINE = View(
    "mine",
    "For me",
    _mine,
    MOST_URGENT,
    counted=True,
    empty=(
        "You are all caught up",
        "Nothing waits for you. New requests appear here, most urgent first.",
    ),
)
VIEWS = (
    MINE,
    View(
        "snoozed",
        "Snoozed",
        _snoozed,
        MOST_URGENT,
        empty=("Nothing is put off", "What you leave for later appears here."),
        occasional=_count_snoozed,
    ),
    View(
        "waiting",
        "Waiting for others",
        _others,
        MOST_URGENT,
        counted=True,
        empty=("Nobody else is asked", "Requests that wait for others appear here."),
    ),
    View(
        drifting.VIEW,
        "Rules changed",
        drifting.rows,
        MOST_URGENT,
        empty=(
            "Nothing would be judged differently",
            "When the rules change, what waits and would be judged differently by now "
            "appears here.",
        ),
        occasional=drifting.count,
    ),
    View(
        "decided",
        "Decided by me",
        _decided,
        empty=("No decisions yet", "What you approve or reject is kept here."),
    ),
    View(
        "all",
        "All",
        _visible,
        empty=(
            "No requests yet",
            "What agents ask, and people decide, appears here.",
        ),
    ),
)


def view_of(request: HttpRequest) -> View:
    """Return the tab that is asked for; what nobody knows is the first one."""
    name = request.GET.get(VIEW_PARAM)
    return next((view for view in VIEWS if view.name == name), MINE)


@dataclass(frozen=True, slots=True)
class Tab:
    title: str
    query: str
    active: bool
    count: int | None


def tabs(request: HttpRequest) -> list[Tab]:
    current = view_of(request)
    found = ((view, _tab(view, request, view is current)) for view in VIEWS)
    return [t for view, t in found if t.count or t.active or not view.occasional]


def _tab(view: View, request: HttpRequest, active: bool) -> Tab:
    user = access.person(request)
    count = view.rows(user).count() if view.counted else None
    return Tab(
        title=_title(view, user),
        query=f"?{urlencode({VIEW_PARAM: view.name})}",
        active=active,
        count=view.occasional(request) if view.occasional else count,
    )


def _title(view: View, user: User) -> str:
    if view.name == "all" and not access.sees_everything(user):
        return "My groups"
    return view.title


def emptiness(request: HttpRequest) -> tuple[str, str]:
    """Say what an empty list means, and to whom nothing is ever sent, why."""
    view = view_of(request)
    if view is MINE and not access.is_asked(access.person(request)):
        return (
            "You are not asked to decide",
            "Flows ask groups. None of yours is named in one.",
        )
    return view.empty


def badge(request: HttpRequest) -> str:
    """Return how many requests wait for this person, for the sidebar. Empty for none."""
    if not access.may_open(request):
        return ""
    waiting = _mine(access.person(request)).count()
    return str(waiting) if waiting else ""


def search(rows: ApprovalRequestQuerySet, text: str) -> ApprovalRequestQuerySet:
    """Find requests by every word: in ids, the line that matters, parameters, agent."""
    for word in text.split():
        # As SQLite stores letters beyond ASCII: spelled out.
        stored = json.dumps(word)[1:-1]
        found = (
            Q(summary__icontains=word)
            | Q(params__icontains=word)
            | Q(params__icontains=stored)
            | Q(action__agent__name__icontains=word)
            | Q(action__name__icontains=word)
        )
        if pk := _uuid(word):
            found |= Q(pk=pk) | Q(action=pk)
        rows = rows.filter(found)
    return rows


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list: a request and what a person needs to know of it."""

    request: ApprovalRequest
    course: Course
    at: datetime
    mark: attention.Mark

    @property
    def risk(self) -> words.Risk:
        return words.Risk(self.request.risk)

    @property
    def status(self) -> words.Label:
        return words.status_of(self.course)

    @property
    def time_left(self) -> words.Label | None:
        if self.request.closed_at:
            return None
        return words.time_left(self.course, self.at)

    @property
    def why(self) -> str:
        """The first reason in the words of its policy."""
        for reason in self.course.action.reasons:
            said: str = (
                reason["reason"] or f"The policy {reason['policy']} asks for it."
            )
            return said
        return ""

    @property
    def progress(self) -> str:
        got, needed = self.course.progress()
        return f"{got} of {needed}"

    @property
    def waits_for(self) -> str:
        return words.listed([stage.name for stage in self.course.open_stages()])


class Queue(ChangeList):  # type: ignore[misc]
    """The admin's list, which knows the tabs and where every request stands."""

    rows: list[Row]
    # Whether several can be decided on at once: only what waits for this person.
    picking: bool = False

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Sequence[str] | None = None
    ) -> ApprovalRequestQuerySet:
        self.picking = view_of(request) is MINE
        self.root_queryset = view_of(request).rows(access.person(request))
        found: ApprovalRequestQuerySet = super().get_queryset(
            request, exclude_parameters
        )
        return found

    def get_filters_params(self, params: QueryDict | None = None) -> dict[str, Any]:
        lookups: dict[str, Any] = super().get_filters_params(params)
        lookups.pop(VIEW_PARAM, None)
        return lookups

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query:
            self.full_result_count = self.result_count
        at = clock.now()
        found = list(self.result_list)
        courses = standing.courses_of(found, at)
        marks = attention.marks(access.person(request), courses, at)
        self.rows = [Row(each, courses[each.pk], at, marks[each.pk]) for each in found]
