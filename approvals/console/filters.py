"""Which part of a list does a person want to see? As the address of the page says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.http import QueryDict

from approvals.console import access, drill, tabs
from approvals.console.dashboard.links import ASKED, OWN
from approvals.console.search import search
from approvals.models import ApprovalRequestQuerySet, RequestGroupPermission
from governance import risk
from governance.models import User

SEARCH_PARAM = "q"
CARE = "care"
MAX_VALUE = 200
AGES = {
    "1h": ("Over an hour ago", timedelta(hours=1)),
    "4h": ("Over 4 hours ago", timedelta(hours=4)),
    "1d": ("Over a day ago", timedelta(days=1)),
    "7d": ("Over a week ago", timedelta(days=7)),
}


@dataclass(frozen=True, slots=True)
class Place:
    """On which tab, before whom, and when."""

    view: tabs.View
    person: User
    at: datetime


Rows = ApprovalRequestQuerySet
Narrow = Callable[[Rows, str, Place], Rows]


def _by_agent(rows: Rows, name: str, place: Place) -> Rows:
    return rows.filter(action__agent__name=name)


def _by_action(rows: Rows, name: str, place: Place) -> Rows:
    return rows.filter(action__name=name)


def _by_group(rows: Rows, name: str, place: Place) -> Rows:
    """Select whom it waits for now, or on tabs that keep what is closed, ever did."""
    if not place.view.is_open:
        return rows.filter(asked__name=name)
    rights = RequestGroupPermission.objects.filter(group__name=name)
    return rows.filter(pk__in=rights.values("content_object"))


def _by_risk(rows: Rows, band: str, place: Place) -> Rows:
    return rows.filter(risk.within(band)) if band in risk.BANDS else rows


def _by_age(rows: Rows, age: str, place: Place) -> Rows:
    return rows.filter(opened_at__lte=place.at - AGES[age][1]) if age in AGES else rows


def _by_care(rows: Rows, text: str, place: Place) -> Rows:
    """Select by how somebody decides, for those who may look at that."""
    return drill.care(rows, text) if drill.may_ask(place.person, text) else rows.none()


def _by_asked(rows: Rows, whose: str, place: Place) -> Rows:
    """Select what the figures of this person speak of."""
    return rows.filter(access.scope_of(place.person).of()) if whose == OWN else rows


@dataclass(frozen=True, slots=True)
class Filter:
    """One thing to choose: its name in the address, and what it is called."""

    name: str
    title: str
    narrow: Narrow
    # What there is to choose from, where that does not depend on what is stored.
    options: tuple[tuple[str, str], ...] = ()
    # For what is not offered, and only shown once an address asks for it.
    only_asked: bool = False
    # How to say a choice that is none of the options.
    say: Callable[[str], str] = str


def _drill(name: str, title: str, select: Callable[[Rows, str], Rows]) -> Filter:
    """Return a filter by which figures lead to the rows behind them."""
    options = drill.OPTIONS.get(name, ())
    say = drill.SAID.get(name, str)

    def narrow(rows: Rows, text: str, place: Place) -> Rows:
        return select(rows, text)

    return Filter(name, title, narrow, options, only_asked=True, say=say)


_RISKS = tuple((name, name.capitalize()) for name in risk.BANDS)
_AGES = tuple((age, said) for age, (said, _) in AGES.items())
FILTERS = (
    Filter("agent", "Agent", _by_agent),
    Filter("action", "Action", _by_action),
    Filter("group", "Waits for", _by_group),
    Filter("risk", "Risk", _by_risk, _RISKS),
    Filter("age", "Asked", _by_age, _AGES),
    Filter(ASKED, "Asked", _by_asked, ((OWN, "My groups"),), only_asked=True),
    _drill("state", "State", drill.waiting),
    _drill("settled", "Settled", drill.settled),
    _drill("voted", "Decided on", drill.voted_on),
    _drill("how", "Settled", drill.how),
    _drill("policy", "Policy", drill.policy),
    _drill("by", "Decided by", drill.by),
    _drill("stage", "Stage", drill.stage),
    _drill("sla", "SLA", drill.sla),
    Filter(CARE, "Decided", _by_care, only_asked=True, say=drill.SAID[CARE]),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A tab, what of it is wanted, and words to search for: one view of the queue."""

    view: tabs.View
    wanted: Mapping[str, str]
    search: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Choice:
        """Read it from an address. What makes no sense is as if it were not there."""
        view = tabs.named(query.get(tabs.VIEW_PARAM))
        found = {each.name: query.get(each.name) or "" for each in FILTERS}
        wanted = {name: text for name, text in found.items() if _is_sane(text)}
        text = (query.get(SEARCH_PARAM) or "").strip()
        return cls(view, wanted, text if _is_sane(text) else "")

    @property
    def is_narrow(self) -> bool:
        return bool(self.wanted or self.search)

    @property
    def query(self) -> str:
        """Return it as an address has it, the same for what means the same."""
        return self.without()

    def without(self, *names: str) -> str:
        parts = {tabs.VIEW_PARAM: self.view.name, **self.wanted}
        if self.search:
            parts[SEARCH_PARAM] = self.search
        return urlencode({name: t for name, t in parts.items() if name not in names})

    def may_be_asked_by(self, person: User) -> bool:
        text = self.wanted.get(CARE)
        return not text or drill.may_ask(person, text)

    def rows(self, rows: Rows, person: User, at: datetime) -> Rows:
        """Select what is wanted of the rows of this tab."""
        place = Place(self.view, person, at)
        for each in FILTERS:
            if text := self.wanted.get(each.name):
                rows = each.narrow(rows, text, place)
        return search(rows, self.search)


def _is_sane(text: str) -> bool:
    """Whether a database can be asked for this text."""
    return 0 < len(text) <= MAX_VALUE and "\x00" not in text
