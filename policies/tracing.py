"""What was seen when an action was judged? The notes from which people learn why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from policies.cel import CannotEvaluate, Condition
from policies.compiled import Clause
from policies.rules import Facts, Policy, RiskFactor
from policies.situation import MISSING, Situation, find

Known = Situation | CannotEvaluate

_LONGEST_FACT = 200


@dataclass(slots=True)
class Notes:
    """The notes taken while one action is judged: what was asked, and the answers."""

    facts: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    lookbacks: set[str] = field(default_factory=set)
    calendars: set[str] = field(default_factory=set)
    policies: list[dict[str, Any]] = field(default_factory=list)
    factors: list[dict[str, Any]] = field(default_factory=list)
    evaluated: bool = True

    def ask(self, clause: Clause, known: Known) -> tuple[bool, str]:
        """Return whether the condition holds and, if nobody can say, why not."""
        if clause.condition and isinstance(known, Situation):
            self._note(clause.condition, known)
        try:
            return clause.holds(known), ""
        except CannotEvaluate as problem:
            return False, str(problem) or "no reason given"

    def note_policy(self, policy: Policy, holds: bool, problem: str) -> None:
        entry = {
            "policy": policy.name,
            "version": policy.version,
            "mode": policy.mode.value,
            "decision": policy.decision.value,
            "reason": policy.reason,
            "when": policy.when,
        }
        self.policies.append(entry | _answer(holds, problem))

    def note_factor(self, factor: RiskFactor, holds: bool, problem: str) -> None:
        entry = {"factor": factor.name, "when": factor.when}
        self.factors.append(entry | _answer(holds, problem))

    def trace(
        self, facts: Facts, calendars: Mapping[str, Mapping[str, bool]]
    ) -> dict[str, Any]:
        """Return what was seen as JSON, enough to explain the verdict later."""
        return {
            "now": facts.now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "agent": {
                "name": facts.agent.name,
                "environment": facts.agent.environment,
                "tags": list(facts.agent.tags),
            },
            "policies": self.policies,
            "risk_factors": self.factors,
            "lookbacks": {n: _found(facts, n) for n in sorted(self.lookbacks)},
            "calendars": {n: dict(calendars[n]) for n in sorted(self.calendars)},
            "facts": self.facts,
            "missing": list(self.missing),
        }

    def _note(self, condition: Condition, known: Situation) -> None:
        self.lookbacks |= condition.lookbacks
        self.calendars |= condition.calendars
        for path, names in condition.paths.items():
            if path in self.facts or path in self.missing:
                continue
            value = find(known.variables, names)
            if value is MISSING:
                self.missing[path] = None
            else:
                self.facts[path] = _told(value)


class NoNotes(Notes):
    """Asks the same, and takes no notes: for a replay, which never shows any."""

    def note_policy(self, policy: Policy, holds: bool, problem: str) -> None:
        pass

    def note_factor(self, factor: RiskFactor, holds: bool, problem: str) -> None:
        pass

    def trace(
        self, facts: Facts, calendars: Mapping[str, Mapping[str, bool]]
    ) -> dict[str, Any]:
        return {}

    def _note(self, condition: Condition, known: Situation) -> None:
        pass


def _answer(holds: bool, problem: str) -> dict[str, Any]:
    return {"matched": "error", "error": problem} if problem else {"matched": holds}


def _found(facts: Facts, lookback: str) -> dict[str, Any] | None:
    """What a lookback found, None if it could not be asked."""
    found = facts.history.get(lookback)
    if found is None:
        return None
    told = {"count": found.count, "sum": found.sum}
    return told if found.distinct is None else told | {"distinct": found.distinct}


def _told(value: Any) -> Any:
    """The value as a trace tells it: short, since the action itself is on record."""
    if isinstance(value, str) and len(value) > _LONGEST_FACT:
        return f"{value[: _LONGEST_FACT - 1]}…"
    if isinstance(value, Mapping):
        return f"an object of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
