"""Which tabs stand above the list, and how much is behind each?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.http import QueryDict

from approvals.console import counting, tabs
from approvals.console.filters import Choice
from approvals.models import ApprovalRequestQuerySet, SavedView
from governance.models import User

Lists = dict[str, ApprovalRequestQuerySet]


@dataclass(frozen=True, slots=True)
class Tab:
    """One list to go to. ``count`` is empty for what is not counted, or nothing."""

    key: str
    title: str
    query: str
    active: bool
    count: str
    tone: str = "quiet"
    pk: int | None = None


@dataclass(slots=True)
class Shelf:
    """The tabs of one person, those they saved among them."""

    person: User
    choice: Choice
    at: datetime
    counts: Mapping[str, int] = field(default_factory=dict)
    saved: list[tuple[SavedView, Choice]] = field(init=False)

    def __post_init__(self) -> None:
        rows = SavedView.objects.filter(person=self.person)
        self.saved = [(view, Choice.of(QueryDict(view.query))) for view in rows]

    @property
    def lists(self) -> Lists:
        """Return what is to be counted: what waits, never everything there ever was."""
        kept: Lists = {
            _key(view): choice.rows(
                choice.view.rows(self.person, self.at), self.person, self.at
            )
            for view, choice in self.saved
            if choice.view.is_open
        }
        return kept | {
            view.name: view.rows(self.person, self.at)
            for view in tabs.VIEWS
            if view.is_open
        }

    @property
    def counts_it_anyway(self) -> bool:
        """Whether what the page shows is one of the lists: a whole tab that is counted."""
        return self.choice.view.is_open and not self.choice.is_narrow

    @property
    def tabs(self) -> list[Tab]:
        return [*self._fixed(), *self._kept()]

    @property
    def waiting(self) -> str:
        """How much waits for this person, as the sidebar says it."""
        return counting.shown(self.counts.get(tabs.MINE.name, 0))

    @property
    def active(self) -> Tab | None:
        """The saved view that the page shows, if it shows one."""
        return next((tab for tab in self.tabs if tab.active and tab.pk), None)

    def _fixed(self) -> Iterator[Tab]:
        kept = any(choice == self.choice for _, choice in self.saved)
        for view in tabs.VIEWS:
            active = view is self.choice.view and not kept
            count = self.counts.get(view.name, 0)
            if count or active or not view.occasional:
                yield Tab(
                    view.name,
                    tabs.title(view, self.person),
                    f"{tabs.VIEW_PARAM}={view.name}",
                    active,
                    counting.shown(count),
                    view.tone,
                )

    def _kept(self) -> Iterator[Tab]:
        for view, choice in self.saved:
            yield Tab(
                _key(view),
                view.name,
                choice.query,
                choice == self.choice,
                counting.shown(self.counts.get(_key(view), 0)),
                pk=view.pk,
            )


def _key(view: SavedView) -> str:
    return f"saved-{view.pk}"
