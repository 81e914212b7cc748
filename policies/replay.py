"""What would two sets of rules have said to what really happened, one after the other?

Each action is judged by what was known when it was submitted. What became of it since
is taken from the record, but for one thing: a lookback that looks only at actions that
were allowed, say, goes by what the rules on this side say themselves. Else a budget
would be spent by what it never allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache

from policies import engine, tallies
from policies.drafts import Draft
from policies.engine import CompiledRules, Verdict
from policies.recorded import Agents, Recorded
from policies.rules import Decision, Facts, Lookback
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
Decisions = tuple[Decision, Decision]


class Replay:
    """Two sets of rules on their way through the record. Time only goes forward."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.rules = {Side.LIVE: draft.live, Side.DRAFT: draft.draft}
        self._agents = Agents()
        # A lookback that goes by decisions has a window for each side.
        self._windows: dict[tuple[Lookback, Side | None], Window] = {}
        self._counting = cache(self._windows_counting)
        self._differs = cache(self._could_differ)
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
        draft = self._judged(Side.DRAFT, facts) if self._differs(action.name) else live
        self._count(action, facts, (live.decision, draft.decision))
        return Outcome(facts, live, draft)

    def remember(self, action: Recorded, decisions: Decisions | None = None) -> None:
        """Count the action without judging it; by what was decided then, by default."""
        decided = Decision(action.decision)
        if self._counting(action.name):
            facts = self._agents.facts_of(action)
            self._count(action, facts, decisions or (decided, decided))

    def _judged(self, side: Side, facts: Facts) -> Verdict:
        history = {
            lookback.name: found
            for lookback in self._reading(side, facts.action)
            if (found := self._windows[self._key(lookback, side)].history(facts))
        }
        return engine.judge(self.rules[side], replace(facts, history=history))

    def _count(self, action: Recorded, facts: Facts, decisions: Decisions) -> None:
        until = action.counted_until()
        for window, index in self._counting(action.name):
            if tallies.concerns(window.lookback, decisions[index]):
                window.add(facts, until)

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

    def _could_differ(self, action: str) -> bool:
        """Whether the draft changes anything that judges actions of this name."""
        if self.rules[Side.LIVE] is self.rules[Side.DRAFT]:
            return False
        if any(b.decision for b in self._reading(Side.LIVE, action)):
            return True
        live, draft = (list(_judges_of(self.rules[side], action)) for side in Side)
        return live != draft


def read_lookbacks(rules: CompiledRules) -> list[Lookback]:
    """Return the lookbacks that any condition may ask for."""
    conditions = [policy.when for policy in rules.rules.policies]
    conditions += [factor.when for factor in rules.rules.risk_factors]
    asking = "\n".join(each for each in conditions if "history" in each)
    return [lookback for lookback in rules.rules.lookbacks if lookback.name in asking]


def _judges_of(rules: CompiledRules, action: str) -> Iterator[object]:
    """Yield everything that has a part in the verdict on actions of this name."""
    policies = [policy for policy, _ in rules.policies.matching(action)]
    yield policies
    yield [factor for factor, _ in rules.factors.matching(action)]
    yield rules.read_by(action)
    yield rules.action_types.get(action)
    yield rules.rules.resources
    yield rules.rules.default
    default = rules.rules.default.flow if rules.rules.default else None
    yield [
        rules.flows.get(name)
        for name in [*(p.flow or "" for p in policies), default or ""]
    ]
