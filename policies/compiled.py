"""Which rules are there to look at? A rule set, compiled and indexed by action."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from policies.calendars import is_open, is_workday
from policies.cel import BadCondition, CannotEvaluate, Condition, compile_condition
from policies.flows import merge_flows
from policies.patterns import PatternIndex
from policies.rules import (
    ActionType,
    Calendar,
    Flow,
    Lookback,
    Mode,
    Policy,
    Resource,
    RiskFactor,
    RuleSet,
    Stage,
)
from policies.situation import Situation

# So many combinations of flows are remembered.
MERGED = 1000


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition with what becomes of it when it does not even compile."""

    source: str
    condition: Condition | None
    broken: str = ""

    def holds(self, known: Situation | CannotEvaluate) -> bool:
        if not self.source:
            return True
        if self.condition is None:
            raise CannotEvaluate(self.broken)
        if isinstance(known, CannotEvaluate):
            raise known
        return self.condition.holds(known)


@dataclass(frozen=True, slots=True)
class CompiledRules:
    """A rule set made ready to judge. Immutable: swap it for the next revision's.

    ``broken`` names the conditions that do not compile (a lookback they name has gone,
    say). They count as conditions that cannot be evaluated.
    """

    rules: RuleSet
    broken: tuple[str, ...]
    # Who must agree if the flows of these names apply at once, worked out once.
    stages: Callable[[tuple[str, ...]], tuple[Stage, ...]]
    policies: PatternIndex[tuple[Policy, Clause]]
    factors: PatternIndex[tuple[RiskFactor, Clause]]
    lookbacks: PatternIndex[Lookback]
    action_types: Mapping[str, ActionType]
    resources: Mapping[str, tuple[Resource, ...]]
    flows: Mapping[str, Flow]
    calendars: Mapping[str, Calendar]

    @property
    def revision(self) -> int:
        return self.rules.revision

    def counted_by(self, action: str) -> list[Lookback]:
        """The lookbacks that will count this action, in the order of the file."""
        return self.lookbacks.matching(action)

    def read_by(self, action: str) -> list[Lookback]:
        """The lookbacks whose answers could matter to the verdict on this action."""
        asked = conditions(self.policies.matching(action))
        asked += conditions(self.factors.matching(action))
        named = {name for each in asked for name in each.lookbacks}
        return [b for b in self.rules.lookbacks if b.name in named] if named else []

    def calendars_at(
        self, now: datetime, asked: Iterable[Condition]
    ) -> dict[str, dict[str, bool]]:
        """What those calendars say now that these conditions ask."""
        named = {name for each in asked for name in each.calendars}
        return {name: _said(self.calendars[name], now) for name in sorted(named)}

    def calendars_of(self, stages: Iterable[Stage]) -> dict[str, Calendar]:
        names = {stage.calendar for stage in stages if stage.calendar}
        return {name: self.calendars[name] for name in sorted(names)}

    def sensitivity(self, resource: Mapping[str, str] | None) -> int:
        """How sensitive the catalogue says this resource is. Unknown ones are 0.

        An exact id comes before a pattern, and a long pattern before a short one.
        """
        if resource is None:
            return 0
        for entry in self.resources.get(resource["type"], ()):
            if entry.id == resource["id"] or fnmatchcase(resource["id"], entry.id):
                return entry.sensitivity
        return 0


def conditions(rules: Iterable[tuple[Any, Clause]]) -> list[Condition]:
    return [clause.condition for _, clause in rules if clause.condition]


def compile_rules(rules: RuleSet) -> CompiledRules:
    """Compile everything once, and index it by the actions it could apply to."""
    broken: list[str] = []

    def clause(name: str, source: str, *, risk: bool) -> Clause:
        if not source:
            return Clause(source, None)
        try:
            return Clause(source, _compile(source, rules, risk=risk))
        except BadCondition as error:
            broken.append(f"{name}: {error}")
            return Clause(source, None, str(error).rstrip("."))

    flows = {flow.name: flow for flow in rules.flows}

    @lru_cache(MERGED)
    def stages(names: tuple[str, ...]) -> tuple[Stage, ...]:
        return merge_flows(flows[name] for name in names)

    live = [p for p in rules.policies if p.mode in (Mode.ENFORCE, Mode.MONITOR)]
    return CompiledRules(
        rules=rules,
        policies=PatternIndex(
            (p.actions, (p, clause(p.name, p.when, risk=True))) for p in live
        ),
        factors=PatternIndex(
            (f.actions, (f, clause(f.name, f.when, risk=False)))
            for f in rules.risk_factors
        ),
        lookbacks=PatternIndex((b.actions, b) for b in rules.lookbacks),
        action_types={a.name: a for a in rules.action_types},
        resources=_by_type(rules.resources),
        flows=flows,
        stages=stages,
        calendars={calendar.name: calendar for calendar in rules.calendars},
        broken=tuple(broken),
    )


def _compile(source: str, rules: RuleSet, *, risk: bool) -> Condition:
    return compile_condition(
        source, lookbacks=rules.lookbacks, calendars=rules.calendars, risk=risk
    )


def _said(calendar: Calendar, now: datetime) -> dict[str, bool]:
    local = now.astimezone(ZoneInfo(calendar.time_zone))
    return {
        "open": is_open(calendar, now),
        "workday": is_workday(calendar, local.date()),
    }


def _by_type(resources: Iterable[Resource]) -> dict[str, tuple[Resource, ...]]:
    found: dict[str, list[Resource]] = {}
    for resource in resources:
        found.setdefault(resource.type, []).append(resource)
    return {
        kind: tuple(sorted(entries, key=_generality)) for kind, entries in found.items()
    }


def _generality(resource: Resource) -> tuple[bool, int, int]:
    """Exact ids first, then long patterns; of two alike the more sensitive one."""
    literal = resource.id.replace("*", "").replace("?", "")
    return literal != resource.id, -len(literal), -resource.sensitivity


def lookbacks_for(rules: CompiledRules, action: str) -> list[Lookback]:
    """Every lookback this action is counted by or judged by, in the file's order."""
    wanted = {b.name for b in (*rules.counted_by(action), *rules.read_by(action))}
    return [b for b in rules.rules.lookbacks if b.name in wanted]
