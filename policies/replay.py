"""What would two sets of rules have said to what really happened, one after the other?

Each action is judged by what was known when it was submitted. What became of it since
is taken from the record, but for one thing: a lookback that looks only at actions that
were allowed, say, goes by what the rules on this side say themselves. Else a budget
would be spent by what it never allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache

from policies import engine, tallies
from policies.differences import Difference, difference_of
from policies.drafts import Draft
from policies.engine import CompiledRules, Verdict
from policies.recorded import Agents, Recorded
from policies.rules import Facts, History, Lookback
from policies.windows import Window


class Side(StrEnum):
    LIVE = "live"
    DRAFT = "draft"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdicts on one action. They are one object where nothing could differ."""

    facts: Facts
    live: Verdict
    draft: Verdict


# What each side decided, the rules in force first.
Decisions = tuple[str, str]


class Replay:
    """Two sets of rules on their way through the record. Time only goes forward."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.rules = {Side.LIVE: draft.live, Side.DRAFT: draft.draft}
        self._agents = Agents()
        # A lookback that goes by decisions has a window for each side.
        self._windows: dict[tuple[Lookback, Side | None], Window] = {}
        self._counting = cache(self._windows_counting)
        self._differences = cache(self._difference)
        self._reading = cache(self._lookbacks_read)
        for side in Side:
            for lookback in read_lookbacks(self.rules[side]):
                key = self._key(lookback, side)
                self._windows.setdefault(key, Window(lookback))

    @property
    def by_decision(self) -> bool:
        """Whether anything goes by what was decided, so that it must be known."""
        return any(lookback.decision for lookback in self.lookbacks)

    @property
    def lookbacks(self) -> list[Lookback]:
        return list(dict.fromkeys(lookback for lookback, _ in self._windows))

    def begins(self, at: datetime) -> datetime | None:
        """Return since when actions matter to one of this moment, None if none do."""
        return min((tallies.begins(each, at) for each in self.lookbacks), default=None)

    def judge(self, action: Recorded) -> Outcome:
        """Judge the action by both sides, and count it from now on."""
        facts = self._agents.facts_of(action)
        live = self._judged(Side.LIVE, facts)
        draft = live
        if self._could_differ(facts, live):
            draft = self._judged(Side.DRAFT, facts)
        self._count(action, facts, (live.decision, draft.decision))
        return Outcome(facts, live, draft)

    def remember(self, action: Recorded, decisions: Decisions | None = None) -> None:
        """Count the action without judging it; by what was decided then, by default."""
        if self._counting(action.name):
            facts = self._agents.facts_of(action)
            self._count(action, facts, decisions or (action.decision,) * 2)

    def _judged(self, side: Side, facts: Facts) -> Verdict:
        history = self._history(side, facts, self._reading(side, facts.action))
        return engine.judge(
            self.rules[side], replace(facts, history=history), trace=False
        )

    def _history(
        self, side: Side, facts: Facts, lookbacks: Iterable[Lookback]
    ) -> dict[str, History]:
        return {
            lookback.name: found
            for lookback in lookbacks
            if (found := self._windows[self._key(lookback, side)].history(facts))
        }

    def _count(self, action: Recorded, facts: Facts, decisions: Decisions) -> None:
        for window, index in self._counting(action.name):
            if tallies.concerns(window.lookback, decisions[index]):
                window.add(facts, action.until)

    def _key(self, lookback: Lookback, side: Side) -> tuple[Lookback, Side | None]:
        return lookback, side if lookback.decision else None

    def _windows_counting(self, action: str) -> list[tuple[Window, int]]:
        return [
            (window, list(Side).index(side or Side.LIVE))
            for (lookback, side), window in self._windows.items()
            if any(engine.matches(pattern, action) for pattern in lookback.actions)
        ]

    def _lookbacks_read(self, side: Side, action: str) -> list[Lookback]:
        return self.rules[side].read_by(action)

    def _could_differ(self, facts: Facts, live: Verdict) -> bool:
        """Whether the draft could say anything else, found out as cheaply as can be.

        It cannot, if all it changes for this action are policies, and those that match
        ask for the same as those that matched.
        """
        difference = self._differences(facts.action)
        if not isinstance(difference, Difference):
            return difference
        history = self._history(Side.DRAFT, facts, difference.reads)
        facts = replace(facts, history=history)
        return difference.matters(live, self.rules[Side.DRAFT], facts, live.risk)

    def _difference(self, action: str) -> Difference | bool:
        return difference_of(self.draft, action)


def read_lookbacks(rules: CompiledRules) -> list[Lookback]:
    """Return the lookbacks that any condition may ask for."""
    conditions = [policy.when for policy in rules.rules.policies]
    conditions += [factor.when for factor in rules.rules.risk_factors]
    asking = "\n".join(each for each in conditions if "history" in each)
    return [lookback for lookback in rules.rules.lookbacks if lookback.name in asking]
