"""Why did the rules decide so? Each policy that was asked, and what decided it, in words.

Worked out from what is on record of one evaluation: the conditions as they were, the
facts they saw, what lookbacks and calendars answered. The same record always explains
itself alike, also when the rules have changed since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from policies import phrases, reading
from policies.cel import BadCondition, CannotEvaluate, compile_condition
from policies.rules import AgentFacts, Calendar, Facts, History, Lookback
from policies.situation import Ground, Situation, ground
from policies.values import value_of

# Deeper than anybody writes; a condition has 2,000 characters.
MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Step:
    """One condition inside a condition, and what came of it.

    ``holds`` is None when it could not be evaluated; ``problem`` says why. ``decided``
    tells the parts that made the whole what it is from those that did not matter.
    """

    source: str
    words: str
    holds: bool | None
    problem: str = ""
    decided: bool = True
    operator: str = ""
    parts: tuple[Step, ...] = ()

    def leaves(self) -> list[Step]:
        """Return the smallest conditions that decided, in the order they stand."""
        if not self.parts:
            return [self]
        return [leaf for part in self.parts if part.decided for leaf in part.leaves()]


@dataclass(frozen=True, slots=True)
class Told:
    """What one policy or risk factor said, and why."""

    name: str
    version: int | None
    decision: str
    mode: str
    matched: bool | None
    points: int
    reason: str
    sentence: str
    step: Step | None


@dataclass(frozen=True, slots=True)
class Explanation:
    policies: tuple[Told, ...]
    factors: tuple[Told, ...]
    by_default: bool

    @property
    def heard(self) -> tuple[Told, ...]:
        """The policies that had a say; the others were asked and did not match."""
        return tuple(told for told in self.policies if _has_a_say(told))

    @property
    def others(self) -> tuple[Told, ...]:
        return tuple(told for told in self.policies if not _has_a_say(told))


def _has_a_say(told: Told) -> bool:
    if told.matched is None:
        return told.decision != "ALLOW"
    return told.matched


def explain(action: str, data: Mapping[str, Any]) -> Explanation:
    """Explain an evaluation on record: the data of a submitted or revised event.

    ``data`` holds params, resource, context, risk and trace. What the trace does not
    tell, as those of old may not, is missing in the explanation, never made up.
    """
    trace = data["trace"]
    facts = _Facts(action, data)
    return Explanation(
        policies=tuple(_policy(entry, facts) for entry in trace["policies"]),
        factors=tuple(_factor(entry, facts) for entry in trace["risk_factors"]),
        by_default=bool(trace["default"]),
    )


class _Facts:
    """What conditions saw, put together again from the record."""

    def __init__(self, action: str, data: Mapping[str, Any]) -> None:
        trace = data["trace"]
        tallies = {n: t or {} for n, t in trace.get("lookbacks", {}).items()}
        self.calendars = trace.get("calendars", {})
        self.rules = {
            "lookbacks": [
                Lookback(name, (), "", timedelta(1), sum="*", distinct="*")
                for name in tallies
            ],
            "calendars": [Calendar(name) for name in self.calendars],
        }
        self.risk = data["risk"]
        self.sensitivity = trace.get("sensitivity", 0)
        self.facts = Facts(
            action=action,
            params=data["params"],
            agent=_agent(trace.get("agent", {})),
            now=_moment(trace.get("now")),
            resource=data["resource"],
            context=data["context"],
            history={
                n: History(t["count"], t.get("sum"), t.get("distinct"))
                for n, t in tallies.items()
                if t
            },
        )
        self._ground: Ground | None = None

    def at(self, *, risk: bool) -> Situation:
        """Raise CannotEvaluate if the facts themselves do not fit."""
        if self._ground is None:
            self._ground = ground(self.facts, self.sensitivity, self.calendars)
        return self._ground.at(self.risk if risk else None)


def _agent(data: Mapping[str, Any]) -> AgentFacts:
    return AgentFacts(
        data.get("name", ""), data.get("environment", ""), tuple(data.get("tags", ()))
    )


def _moment(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else datetime.min.replace(tzinfo=UTC)


def _policy(entry: Mapping[str, Any], facts: _Facts) -> Told:
    return _told(entry, entry["policy"], facts, risk=True)


def _factor(entry: Mapping[str, Any], facts: _Facts) -> Told:
    return _told(entry, entry["factor"], facts, risk=False)


def _told(entry: Mapping[str, Any], name: str, facts: _Facts, *, risk: bool) -> Told:
    matched = None if entry["matched"] == "error" else bool(entry["matched"])
    step = _steps(entry["when"], facts, risk=risk) if entry["when"] else None
    return Told(
        name=name,
        version=entry.get("version"),
        decision=entry.get("decision", ""),
        mode=entry.get("mode", "enforce"),
        matched=matched,
        points=entry.get("points", 0),
        reason=entry.get("reason", ""),
        sentence=_sentence(matched, step, entry),
        step=step,
    )


def _sentence(matched: bool | None, step: Step | None, entry: Mapping[str, Any]) -> str:
    if step is None or (matched and step.source == "true"):
        return "Applies to every such action."
    if matched is None:
        return f"Could not be evaluated: {entry.get('error') or step.problem}."
    verb = "Matched" if matched else "Did not match"
    return f"{verb}: {phrases.listed([leaf.words for leaf in step.leaves()])}."


def _steps(source: str, facts: _Facts, *, risk: bool) -> Step | None:
    try:
        situation = facts.at(risk=risk)
    except CannotEvaluate as problem:
        return Step(source, source, None, str(problem))
    return _Reader(situation, facts.rules, risk).step(source)


@dataclass(frozen=True, slots=True)
class _Reader:
    situation: Situation
    rules: Mapping[str, Any]
    risk: bool

    def step(self, source: str, depth: int = 0) -> Step:
        whole = reading.cut(source)
        holds, problem = self._holds(whole.source)
        if not whole.parts or depth > MAX_DEPTH:
            words = problem or self._words(whole.source, holds)
            return Step(whole.source, words, holds, problem)
        parts = [self.step(part, depth + 1) for part in self._parts(whole, depth)]
        marked = _mark(whole.operator, holds, parts)
        return Step(
            whole.source,
            phrases.listed([p.words for p in marked if p.decided]),
            holds,
            problem,
            operator=whole.operator,
            parts=tuple(marked),
        )

    def _parts(self, whole: reading.Cut, depth: int) -> Sequence[str]:
        """Of a choice only the branch that was taken was ever looked at."""
        if whole.operator != "?":
            return whole.parts
        asked, yes, no = whole.parts
        chosen, _ = self._holds(asked)
        return [asked] if chosen is None else [asked, yes if chosen else no]

    def _holds(self, source: str) -> tuple[bool | None, str]:
        try:
            condition = compile_condition(source, **self.rules, risk=self.risk)
            return condition.holds(self.situation), ""
        except CannotEvaluate as problem:
            return None, str(problem)
        except BadCondition as bad:
            return None, bad.detail.rstrip(".")

    def _words(self, source: str, holds: bool | None) -> str:
        return phrases.words(source, holds is True, self._value)

    def _value(self, source: str) -> Any:
        """Return what an expression comes to, as JSON. Raise CannotEvaluate."""
        return value_of(source, self.situation, **self.rules, risk=self.risk)


def _mark(operator: str, holds: bool | None, parts: Sequence[Step]) -> list[Step]:
    """Tell the parts that decided: for ``&&`` that is false, those that are false."""
    if operator in ("&&", "||") and holds is not None:
        settles = operator == "||"
        deciding = [p.holds is settles for p in parts] if holds is settles else []
    elif operator in ("&&", "||"):
        deciding = [part.holds is None for part in parts]
    else:
        deciding = []
    if not any(deciding):
        return list(parts)
    return [
        Step(p.source, p.words, p.holds, p.problem, decides, p.operator, p.parts)
        for p, decides in zip(parts, deciding, strict=True)
    ]
