"""Which part of the record? Filters, each of which an index serves.

What is chosen stands in the address of the page: who has it sees the same part.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter, TextFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from governance import risk, words
from governance.ledger import Kind
from governance.models import Status, User, first_uuid7
from governance.moments import moment


class StatusFilter(DropdownFilter):  # type: ignore[misc]
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        return [(value, text) for value, text in Status.choices]

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(status=self.value()) if self.value() else rows


class OutcomeFilter(StatusFilter):
    """What had become of the action by then."""

    title = "status after it"


class KindFilter(DropdownFilter):  # type: ignore[misc]
    title = "what happened"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        return sorted(((k, words.kind(k)) for k in Kind.values), key=lambda k: k[1])

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(kind=self.value()) if self.value() else rows


class ActorFilter(DropdownFilter):  # type: ignore[misc]
    title = "who did it"
    parameter_name = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        people = User.objects.order_by("username").values_list("pk", "username")
        kinds = [("person", "Any person"), ("agent", "Any agent"), ("system", "System")]
        return [*kinds, *((f"person:{pk}", name) for pk, name in people)]

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        kind, _, pk = (self.value() or "").partition(":")
        if kind:
            rows = rows.filter(actor_kind=kind)
        return rows.filter(actor_id=pk) if pk else rows


class ActionFilter(TextFilter):  # type: ignore[misc]
    """An action by its id, or all of one name."""

    title = "action's name or id"
    parameter_name = "action"

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        wanted = (self.value() or "").strip()
        if pk := as_uuid(wanted):
            return rows.filter(action=pk)
        return rows.filter(action_name=wanted) if wanted else rows


class PolicyFilter(TextFilter):  # type: ignore[misc]
    """The policy that decided, or that was changed."""

    title = "policy's name"
    parameter_name = "policy"

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        wanted = (self.value() or "").strip()
        # The index leaves out what has no policy, and has to be told so.
        return rows.filter(policy__gt="", policy=wanted) if wanted else rows


class MomentsForm(forms.Form):
    """From one minute to another, in the time zone of the console."""

    def __init__(self, name: str, data: dict[str, str | None]) -> None:
        super().__init__(
            {key: _local(value, end=key.endswith("_to")) for key, value in data.items()}
        )
        for key, word in ((f"{name}_from", "From"), (f"{name}_to", "Before")):
            label = f"{word} ({settings.TIME_ZONE})"
            attrs = {"type": "datetime-local", "step": 1}
            widget = UnfoldAdminTextInputWidget(attrs)
            field = forms.CharField(label=label, required=False, widget=widget)
            self.fields[key] = field


class MomentsFilter(RangeDateFilter):  # type: ignore[misc]
    """From a moment on, before another. A day counts from its beginning to its end."""

    form_class = MomentsForm
    template = "admin/governance/moments.html"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.title = "time"

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> QuerySet[Any] | None:
        if self.unread:
            return queryset.none()
        name = self.parameter_name
        if first := moment(self.used_parameters.get(f"{name}_from")):
            queryset = queryset.filter(self.edge("gte", first))
        if last := moment(self.used_parameters.get(f"{name}_to"), end=True):
            queryset = queryset.filter(self.edge("lt", last))
        return queryset

    @property
    def unread(self) -> list[str]:
        """What the address says that is no time: to leave it out would show too much."""
        given = [str(text or "").strip() for text in self.used_parameters.values()]
        return [text for text in given if text and moment(text) is None]

    def edge(self, compared: str, at: datetime) -> Q:
        return Q(**{f"{self.parameter_name}__{compared}": at})


class AskedFilter(MomentsFilter):
    """The same for actions, whose keys tell when they were made, and are indexed."""

    def edge(self, compared: str, at: datetime) -> Q:
        return Q(**{f"pk__{compared}": first_uuid7(at)})


class BandFilter(DropdownFilter):  # type: ignore[misc]
    title = "risk"
    parameter_name = "band"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        return [(name, name.capitalize()) for name in risk.BANDS]

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        band = self.value()
        return rows.filter(risk.within(band)) if band in risk.BANDS else rows


def unread(filters: Iterable[Any]) -> list[str]:
    """Return the times that these filters of a list could not read."""
    moments = [each for each in filters if isinstance(each, MomentsFilter)]
    return [text for each in moments for text in each.unread]


def _local(text: str | None, *, end: bool) -> str:
    at = moment(text, end=end)
    return f"{timezone.localtime(at):%Y-%m-%dT%H:%M:%S}" if at else ""


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None
