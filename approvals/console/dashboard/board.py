"""What is on the dashboard? Tiles, charts and lists, out of the counts of one period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from approvals.console.dashboard.charts import Cell, Chart, Series
from approvals.console.dashboard.links import Links
from approvals.console.dashboard.said import NOTHING, share, took
from approvals.figures import histogram
from approvals.figures.counts import Count, Counts, by, total
from approvals.figures.periods import Slot
from approvals.figures.selecting import GLASS, PEOPLE, SILENCE, Scope
from approvals.models import Vote
from governance.models import Agent, User

# How many bars a list has at most; what is left out is said.
MOST = 8
MOST_PEOPLE = 30
GOOD, BAD, WARN = "#2f9e6b", "#d9544d", "#d68a1f"
INFO, OTHER, QUIET = "#4f7fe0", "#9a6fd8", "#8b94a3"
RISKS = (
    ("low", "Low", "#7fb69b"),
    ("medium", "Medium", "#d9b25c"),
    ("high", "High", "#df8a4a"),
    ("critical", "Critical", "#cf4f49"),
)
SETTLED = (
    (PEOPLE, "Decided by people", INFO),
    (SILENCE, "Settled by silence", WARN),
    (GLASS, "By broken glass", OTHER),
)
OUTCOMES = (
    ("approved", "approved", GOOD),
    ("rejected", "rejected", BAD),
    ("", "other", QUIET),
)
VERDICTS = (
    (Vote.Verdict.APPROVE, "approved", GOOD),
    (Vote.Verdict.REJECT, "rejected", BAD),
    (Vote.Verdict.REQUEST_CHANGES, "asked for changes", WARN),
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which an answer came about."""

    title: str
    colour: str
    value: int
    share: str
    link: str


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a bar."""

    title: str
    colour: str
    value: int
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a list: a name, a number, and what it is made of."""

    name: str
    value: int
    link: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Bars:
    title: str
    about: str
    bars: Sequence[Bar]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Team:
    """How quickly one stage decides."""

    name: str
    link: str
    decisions: int
    median: str
    slowest: str
    kept: str
    late: int
    late_link: str
    # How long the bar of each is, in percent of the longest.
    median_width: float
    slowest_width: float


class Board:
    """The figures of one period, for one person."""

    def __init__(
        self, scope: Scope, slots: Sequence[Slot], found: Sequence[Counts], links: Links
    ) -> None:
        self.scope = scope
        self.slots = slots
        self.found = found
        self.links = links
        self.whole = Slot(slots[0].start, slots[-1].end, "")
        self.total = total(found)

    @cached_property
    def ways(self) -> list[Way]:
        """Return who or what gave the answers: policies, people, silence, glass."""
        ways = list(self._ways(self.total, self.whole))
        answers = sum(cell.value or 0 for _, _, cell in ways)
        return [
            Way(
                title,
                colour,
                int(cell.value or 0),
                share(cell.value, answers),
                cell.link,
            )
            for title, colour, cell in ways
        ]

    def _ways(self, counts: Counts, slot: Slot) -> Iterator[tuple[str, str, Cell]]:
        if self.scope.groups is None:
            judged = by(counts.judged, 0)
            for decision, title, colour in (
                ("ALLOW", "Allowed by a policy", GOOD),
                ("BLOCK", "Blocked by a policy", BAD),
            ):
                link = self.links.actions(slot, decision__exact=decision)
                yield title, colour, Cell(judged[decision], link)
        settled = by(counts.settled, 0)
        for how, title, colour in SETTLED:
            yield title, colour, Cell(settled[how], self.links.settled(slot, how=how))

    @property
    def answers(self) -> int:
        return sum(way.value for way in self.ways)

    @property
    def automatic(self) -> str:
        """Return the share of answers that policies gave by themselves."""
        return share(sum(way.value for way in self.ways[:2]), self.answers)

    @property
    def median(self) -> str:
        return took(histogram.median(by(self.total.times, 1)))

    @property
    def kept(self) -> str:
        return _kept(by(self.total.sla, 1))

    @property
    def risk(self) -> str:
        judged = sum(self.total.judged.values())
        return f"{self.total.risk[()] / judged:.0f}" if judged else NOTHING

    @cached_property
    def charts(self) -> dict[str, Chart]:
        charts = (self._answers(), self._sla(), self._risk())
        return {chart.name: chart for chart in charts}

    def _answers(self) -> Chart:
        columns = [list(self._ways(*each)) for each in self._slots()]
        series = [
            Series(title, colour, [column[at][2] for column in columns])
            for at, (title, colour, _) in enumerate(columns[0])
        ]
        return Chart("answers", "Answers over time", self._titles(), series, "stacked")

    def _sla(self) -> Chart:
        cells = []
        for counts, slot in self._slots():
            kept = by(counts.sla, 1)
            late = self.links.settled(slot, sla="missed")
            asked = sum(kept.values())
            cells.append(
                Cell(round(100 * kept[True] / asked, 1) if asked else None, late)
            )
        series = [Series("In time, %", INFO, cells)]
        return Chart("sla", "SLA kept over time", self._titles(), series, "line", "%")

    def _risk(self) -> Chart:
        series = []
        for band, title, colour in RISKS:
            cells = [self._risky(band, *each) for each in self._slots()]
            series.append(Series(title, colour, cells))
        return Chart("risk", "Risk over time", self._titles(), series, "stacked")

    def _risky(self, band: str, counts: Counts, slot: Slot) -> Cell:
        link = self.links.actions(slot, band=band) if self.scope.groups is None else ""
        return Cell(by(counts.judged, 1)[band], link)

    def _slots(self) -> Iterator[tuple[Counts, Slot]]:
        return zip(self.found, self.slots, strict=True)

    def _titles(self) -> list[str]:
        return [slot.title for slot in self.slots]

    @cached_property
    def teams(self) -> list[Team]:
        """Return how long each stage takes, by name."""
        times: dict[str, Counter[int]] = {}
        for (name, taken), n in self.total.times.items():
            times.setdefault(str(name), Counter())[int(taken)] += n
        for name, _ in self.total.sla:
            times.setdefault(str(name), Counter())
        longest = max((_slow(each) or 0 for each in times.values()), default=0)
        return [self._team(name, times[name], longest) for name in sorted(times)]

    def _team(self, name: str, times: Counter[int], longest: float) -> Team:
        kept = Counter({k: self.total.sla[name, k] for k in (True, False)})
        link = self.links.settled
        median, slowest = histogram.median(times), _slow(times)
        return Team(
            name=name,
            link=link(self.whole, stage=name),
            decisions=times.total(),
            median=took(median),
            slowest=took(slowest),
            kept=_kept(kept),
            late=kept[False],
            late_link=link(self.whole, sla=f"missed:{name}"),
            median_width=_percent(median or 0, longest),
            slowest_width=_percent(slowest or 0, longest),
        )

    def policies(self) -> Bars:
        return _most(
            "By policy",
            "Settled requests, by the policy that asked for approval",
            self.total.policies,
            lambda name: str(name) or "No policy",
            lambda name: self._settled(policy=str(name)) if name else "",
        )

    def agents(self, agents: dict[int, Agent]) -> Bars:
        return _most(
            "By agent",
            "Settled requests, by the agent that made them",
            self.total.agents,
            lambda pk: agents[pk].name,
            lambda pk: self._settled(agent=agents[pk].name),
        )

    def people(self, people: dict[int, User]) -> Bars:
        """Return who decided how, by name: a list, and no ranking."""
        names = {pk: people[pk].get_username() for pk in by(self.total.people, 0)}
        order = sorted(names, key=lambda pk: str(people[pk]).lower())
        bars = _bars(
            self.total.people,
            order[:MOST_PEOPLE],
            lambda pk: str(people[pk]),
            lambda pk: self._settled(by=names[pk]),
            VERDICTS,
        )
        about = "Votes on settled requests, in the order of the alphabet"
        return Bars("By person", about, bars, len(order) - len(bars))

    def _settled(self, **wanted: str) -> str:
        return self.links.settled(self.whole, **wanted)


Words = Callable[[Any], str]


def _most(title: str, about: str, count: Count, name: Words, link: Words) -> Bars:
    """Return the names with the most, and how many others there are."""
    totals = by(count, 0)
    order = sorted(totals, key=lambda key: (-totals[key], name(key)))
    bars = _bars(count, order[:MOST], name, link, OUTCOMES)
    return Bars(title, about, bars, len(order) - len(bars))


def _bars(
    count: Count,
    order: Sequence[Any],
    name: Words,
    link: Words,
    kinds: Sequence[tuple[str, str, str]],
) -> list[Bar]:
    longest = max((by(count, 0)[key] for key in order), default=0)
    split: dict[Any, Counter[str]] = {key: Counter() for key in order}
    known = {kind for kind, _, _ in kinds}
    for (key, kind), n in count.items():
        if key in split:
            split[key][str(kind) if kind in known else ""] += n
    return [
        Bar(
            name(key),
            split[key].total(),
            link(key),
            [
                Part(title, colour, n, _percent(n, longest))
                for kind, title, colour in kinds
                if (n := split[key][kind])
            ],
        )
        for key in order
    ]


def _slow(times: Counter[int]) -> float | None:
    return histogram.percentile(times, 0.95)


def _kept(kept: Counter[bool]) -> str:
    return share(kept[True], kept.total())


def _percent(value: float, whole: float) -> float:
    return round(100 * value / whole, 1) if whole else 0
