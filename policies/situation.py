"""What do conditions get to see of an action?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from governance.text_safety import visible_line
from policies import dialect
from policies.rules import AgentFacts, Facts, History

MAX_DEPTH = 32
_NUMBERS = (int, float, Decimal)
_NONE: Mapping[str, Mapping[str, bool]] = {}


class CannotEvaluate(Exception):
    """There is no answer for these facts. The message says why, in a few words."""


@dataclass(frozen=True, slots=True)
class Situation:
    """The facts of one action, made ready once for all conditions."""

    variables: Mapping[str, Any]
    activation: Any
    values: int
    text: int


@dataclass(frozen=True, slots=True)
class Ground:
    """The facts of one action before its risk is known.

    ``declared`` are the variables by the names that ``policies.dialect`` gives them.
    """

    variables: Mapping[str, Any]
    declared: Mapping[str, Any]
    values: int
    text: int

    def at(self, risk: int | None) -> Situation:
        """Return the situation with this risk; None: conditions cannot ask for it."""
        known = {} if risk is None else {"risk": risk}
        try:
            activation = dialect.activation({**self.declared, **known})
        except (RuntimeError, ValueError, TypeError) as error:
            raise CannotEvaluate(short(str(error))) from error
        variables = {**self.variables, **known}
        return Situation(variables, activation, self.values, self.text)


def situation(facts: Facts, sensitivity: int = 0, risk: int | None = None) -> Situation:
    """Make the facts ready for conditions. Raise CannotEvaluate if they do not fit."""
    return ground(facts, sensitivity).at(risk)


def ground(
    facts: Facts, sensitivity: int, calendars: Mapping[str, Mapping[str, bool]] = _NONE
) -> Ground:
    """Read the facts as conditions see them. Raise CannotEvaluate if they do not fit.

    Only what JSON can hold gets through, and not deeper than conditions may look: the
    library underneath crashes on very deep or circular values. Every number becomes a
    double. Without a resource ``resource`` is empty, so that its fields are missing.
    ``calendars`` are the answers of those that conditions may ask.
    """
    size = _Size()
    named = facts.resource
    variables = {
        "action": facts.action,
        "params": _plain(facts.params, size),
        "context": _plain(facts.context, size),
        "resource": {} if named is None else {**named, "sensitivity": sensitivity},
        "agent": _agent(facts.agent),
        "history": {name: _answers(found) for name, found in facts.history.items()},
        "calendar": calendars,
        "now": facts.now,
    }
    return Ground(variables, _declared(variables), size.values, size.text)


def _agent(agent: AgentFacts) -> dict[str, Any]:
    return {
        "name": agent.name,
        "environment": agent.environment,
        "tags": list(agent.tags),
    }


def _answers(found: History) -> dict[str, Any]:
    """What a lookback can tell. The rest is missing."""
    sums = None if found.sum is None else float(found.sum)
    told = {"count": found.count, "sum": sums, "distinct": found.distinct}
    return {name: value for name, value in told.items() if value is not None}


def _declared(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables by the names under which ``policies.dialect`` has them."""
    declared = {**variables}
    for name, value in declared.pop("agent").items():
        declared[f"agent.{name}"] = value
    for root in ("history", "calendar"):
        for name, answers in declared.pop(root).items():
            declared |= {f"{root}.{name}.{what}": answers[what] for what in answers}
    return declared


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


def find(values: Any, names: Iterable[str]) -> Any:
    """Follow the names into nested objects. Return MISSING where the way ends."""
    for name in names:
        if not isinstance(values, dict) or name not in values:
            return MISSING
        values = values[name]
    return values


def lookup(values: Mapping[str, Any], path: str) -> Any:
    """Follow a dotted path like ``params.customer.id``. Return MISSING at its end."""
    return find(values, path.split("."))


def short(text: str) -> str:
    """One line for people, whatever text an agent's value brought into it."""
    text = visible_line(text)
    return text if len(text) <= 300 else f"{text[:299]}…"


@dataclass(slots=True)
class _Size:
    values: int = 0
    text: int = 0


def _plain(value: Any, size: _Size, depth: int = 0) -> Any:
    size.values += 1
    if isinstance(value, str):
        size.text += len(value)
        return value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, _NUMBERS):
        return _double(value)
    if depth >= MAX_DEPTH:
        raise CannotEvaluate(f"values are nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        size.text += sum(len(key) for key in value)
        return {key: _plain(each, size, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, size, depth + 1) for each in value]
    raise CannotEvaluate(
        f"a value is neither JSON nor a number: {type(value).__name__}"
    )


def _double(value: float | Decimal) -> float:
    try:
        double = float(value)
    except (OverflowError, ValueError):
        double = math.inf
    if not math.isfinite(double):
        raise CannotEvaluate("a number is out of range")
    return double
