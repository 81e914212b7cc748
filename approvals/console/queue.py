"""What waits for whom? The list people start from, most urgent first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.views import ChangeList

from approvals.console import (
    access,
    attention,
    counting,
    drifting,
    fields,
    live,
    standing,
    tabs,
    words,
)
from approvals.console.filters import Choice
from approvals.console.shelf import Shelf
from approvals.console.tabs import MOST_URGENT, VIEW_PARAM, view_of
from approvals.course import Course
from approvals.models import ApprovalRequest, ApprovalRequestQuerySet
from governance import clock
from governance.models import User

__all__ = ["MOST_URGENT", "VIEW_PARAM", "Queue", "Row", "badge", "view_of", "waiting"]

_WAITING = "_countersign_waiting"
NOT_LED = "How carefully somebody decides is shown to those who lead them."


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
    def asked(self) -> str:
        return f"{words.span(self.at - self.request.opened_at)} ago"

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

    page_num: int
    filter_params: dict[str, list[str]]
    rows: list[Row]
    shelf: Shelf
    # Whether several can be decided on at once: only what waits for this person.
    picking: bool = False

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Sequence[str] | None = None
    ) -> ApprovalRequestQuerySet:
        """Select by the tab, the filters and the search; the admin's own stay out."""
        self.request, self.person = request, access.person(request)
        self.at = clock.now()
        # Before anything is read: what changes from here on is noticed.
        self.mark = live.mark(self.at)
        self.choice = choice = Choice.of(request.GET)
        if not choice.may_be_asked_by(self.person):
            raise PermissionDenied(NOT_LED)
        self.query, self.view = choice.search, choice.view
        self.picking = choice.view is tabs.MINE
        self.filter_specs: list[Any] = []
        self.has_filters = self.has_active_filters = False
        self.filter_params = {
            name: values
            for name, values in self.filter_params.items()
            if name in {VIEW_PARAM, *choice.wanted}
        }
        self.root_queryset = choice.view.rows(self.person, self.at)
        return choice.rows(self.root_queryset, self.person, self.at)

    def get_results(self, request: HttpRequest) -> None:
        """Read one page, and count everything that is counted at once."""
        self.shelf = Shelf(self.person, self.choice, self.at)
        key = self.choice.view.name if self.shelf.counts_it_anyway else ""
        lists = self.shelf.lists if key else {"": self.queryset, **self.shelf.lists}
        self.shelf.counts = counts = counting.lengths(self.person, lists)
        setattr(request, _WAITING, counts[tabs.MINE.name])
        self._page(request, counts[key])
        self.rows = self._rows()

    def _page(self, request: HttpRequest, count: int) -> None:
        ordered = self.queryset.order_by(*self.view.ordering)
        self.paginator = self.model_admin.get_paginator(
            request, ordered, self.list_per_page
        )
        self.paginator.count = self.result_count = self.full_result_count = count
        self.show_full_result_count, self.show_admin_actions = False, bool(count)
        self.can_show_all, self.multi_page = False, count > self.list_per_page
        self.page_num = min(max(self.page_num, 1), self.paginator.num_pages)
        self.result_list = self.paginator.page(self.page_num).object_list

    def _rows(self) -> list[Row]:
        found, at = list(self.result_list), self.at
        courses = standing.courses_of(found, at)
        marks = attention.marks(self.person, courses, at)
        return [Row(each, courses[each.pk], at, marks[each.pk]) for each in found]

    # What surrounds the rows

    @property
    def shown_count(self) -> str:
        return counting.shown(self.result_count) or "0"

    @cached_property
    def empty(self) -> tuple[str, str]:
        return tabs.emptiness(self.view, self.person)

    @cached_property
    def drift(self) -> drifting.Notice | None:
        """What there is to say about changed rules, read only if there is anything."""
        drifted = self.shelf.counts.get(drifting.VIEW)
        return drifting.notice(self.request) if drifted else None

    @cached_property
    def fields(self) -> list[fields.Field]:
        return fields.fields(self.choice)


def waiting(request: HttpRequest) -> int:
    """Return how many requests this person can decide. Asked once per page.

    More than ``counting.MOST`` are not counted.
    """
    if not hasattr(request, _WAITING):
        user: User = access.person(request)
        mine = {"mine": ApprovalRequest.objects.waiting_for(user)}
        setattr(request, _WAITING, counting.lengths(user, mine)["mine"])
    count: int = getattr(request, _WAITING)
    return count


def badge(request: HttpRequest) -> SafeString:
    """Return what the sidebar says beside the queue, in a place that can change."""
    count = counting.shown(waiting(request))
    return format_html('<span id="queue-badge">{}</span>', count)
