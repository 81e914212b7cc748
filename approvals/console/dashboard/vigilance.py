"""How carefully do people decide? For those who lead them: to ask, never to rank.

By name, with the range of the whole team beside it. Few decisions say little, and are
marked so. Quick is not careless: a request may have been read in the queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from approvals.console.dashboard.links import Links
from approvals.console.dashboard.said import NOTHING, share, took
from approvals.figures import histogram
from approvals.figures.counts import Counts
from approvals.figures.periods import Slot
from approvals.models import VIGILANCE
from governance import roles
from governance.models import User

# With fewer decisions a share says nothing about a person.
ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Figure:
    """A share of a person's decisions, in words, and the decisions themselves."""

    n: int
    of: int
    link: str

    @property
    def shown(self) -> str:
        return share(self.n, self.of) if self.of >= ENOUGH else f"{self.n} of {self.of}"


@dataclass(frozen=True, slots=True)
class Member:
    """What one person's decisions have in common."""

    name: str
    decisions: int
    link: str
    looked: str
    quick: Figure
    unopened: Figure
    differed: Figure

    @property
    def is_few(self) -> bool:
        return self.decisions < ENOUGH


@dataclass(frozen=True, slots=True)
class Team:
    members: Sequence[Member]
    looked: str
    quick: str
    unopened: str
    differed: str
    enough: int = ENOUGH


def may_see(user: User) -> bool:
    return user.has_perm(f"approvals.{VIGILANCE}")


def led_by(user: User) -> QuerySet[User]:
    """Return whose care somebody may look at: people who share a group with them.

    A role is no team: whoever has the same one may work for somebody else.
    """
    if user.is_superuser:
        return User.objects.all()
    teams = user.groups.exclude(name__in=roles.sentences())
    return User.objects.filter(groups__in=teams).distinct()


def team(people: Iterable[User], counts: Counts, slot: Slot, links: Links) -> Team:
    """Return everybody of these who decided anything, in the order of the alphabet."""
    deciding = [each for each in people if counts.care[each.pk, "votes"]]
    deciding.sort(key=lambda person: str(person).lower())
    looks: dict[int, Counter[int]] = {each.pk: Counter() for each in deciding}
    for (person, look), n in counts.looks.items():
        if person in looks:
            looks[int(person)][int(look)] += n
    members = [_member(each, counts, looks[each.pk], slot, links) for each in deciding]
    known = [each for each in members if not each.is_few]
    medians = [
        histogram.coarse_median(looks[e.pk])
        for e in deciding
        if looks[e.pk].total() >= ENOUGH
    ]
    return Team(
        members,
        _range([m for m in medians if m is not None], took),
        _shares(each.quick for each in known),
        _shares(each.unopened for each in known),
        _shares(each.differed for each in known),
    )


def _member(
    person: User, counts: Counts, looks: Counter[int], slot: Slot, links: Links
) -> Member:
    def told(what: str) -> int:
        return counts.care[person.pk, what]

    def link(care: str) -> str:
        return links.settled(slot, care=f"{care}:{person.get_username()}")

    return Member(
        name=str(person),
        decisions=told("votes"),
        link=links.settled(slot, by=person.get_username()),
        looked=took(histogram.coarse_median(looks)),
        quick=Figure(told("quick"), looks.total(), link("quick")),
        unopened=Figure(told("unopened"), told("approvals"), link("unopened")),
        differed=Figure(told("differed"), told("votes"), link("differed")),
    )


def _shares(figures: Iterable[Figure]) -> str:
    shares = [100 * each.n / each.of for each in figures if each.of >= ENOUGH]
    return _range(shares, lambda percent: share(percent, 100))


def _range(values: list[float], said: Callable[[float], str]) -> str:
    if len(values) < 2:
        return NOTHING
    low, high = said(min(values)), said(max(values))
    return low if low == high else f"{low} to {high}"
