"""What do the policies say to this action? Facts in, verdict out, no database.

The strictest policy that matches decides. A condition that cannot be evaluated counts
as a match for policies that block or ask, and as none for those that allow: nothing is
ever allowed because of something unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from policies.cel import CannotEvaluate, Condition
from policies.compiled import Clause, CompiledRules, compile_rules, lookbacks_for
from policies.flows import merge_flows
from policies.patterns import is_pattern, matches
from policies.rules import (
    ActionType,
    Decision,
    Facts,
    Flow,
    Mode,
    Policy,
    RuleSet,
    Stage,
)
from policies.schemas import BadSchema, check_schema, schema_errors
from policies.situation import MISSING, Situation, find, lookup, situation
from policies.summaries import summary
from policies.verdicts import Reason, RiskPart, Verdict

__all__ = [
    "MISSING",
    "BadSchema",
    "CompiledRules",
    "Reason",
    "RiskPart",
    "Verdict",
    "check_schema",
    "compile_rules",
    "is_pattern",
    "judge",
    "lookbacks_for",
    "lookup",
    "matches",
    "merge_flows",
    "schema_errors",
    "summary",
]

NO_POLICY = "no_policy"
BY_DEFAULT = "No policy matched: the default applies."
NOBODY_ASKED = "Approval is required, but the flow asks nobody: add a stage to it."

_Say = tuple[Policy, str]

_UNKNOWN = ActionType(name="")
_LONGEST_FACT = 200


@dataclass(slots=True)
class _Notes:
    """The notes taken while one action is judged."""

    facts: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    lookbacks: set[str] = field(default_factory=set)
    policies: list[dict[str, Any]] = field(default_factory=list)
    risk: list[dict[str, Any]] = field(default_factory=list)
    evaluated: bool = True

    def ask(
        self, clause: Clause, known: Situation | CannotEvaluate
    ) -> tuple[bool, str]:
        """Return whether the condition holds and, if nobody can say, why not."""
        if clause.condition and isinstance(known, Situation):
            self._note(clause.condition, known)
        try:
            return clause.holds(known), ""
        except CannotEvaluate as problem:
            return False, str(problem) or "no reason given"

    def _note(self, condition: Condition, known: Situation) -> None:
        self.lookbacks |= condition.lookbacks
        for names in condition.facts:
            path = ".".join(names)
            if path in self.facts or path in self.missing or len(names) < 2:
                continue
            value = find(known.variables, names)
            if value is MISSING:
                self.missing[path] = None
            else:
                self.facts[path] = _told(value)


def judge(rules: CompiledRules, facts: Facts) -> Verdict:
    """Judge one action. The same rules and facts always give the same verdict."""
    notes = _Notes()
    kind = rules.action_types.get(facts.action, _UNKNOWN)
    sensitivity = rules.sensitivity(facts.resource)
    parts = _risk(rules, facts, kind, sensitivity, notes)
    risk = max(0, min(100, sum(part.points for part in parts)))
    said, monitored = _hear(rules, facts, _known(facts, sensitivity, risk), notes)
    reasons = [_reason(policy, problem) for policy, problem in said]
    reasons = reasons or [_default(rules.rules)]
    decision = reasons[0].decision
    flows = _flows(rules, [policy for policy, _ in said])
    stages: tuple[Stage, ...] = ()
    if decision == Decision.REQUIRE_APPROVAL:
        if all(flow.stages for flow in flows):
            stages = merge_flows(flows)
        else:
            # Fail closed: nothing may count as approved because nobody was asked.
            decision = Decision.BLOCK
            reasons.insert(0, Reason(None, None, decision, NOBODY_ASKED))
    return Verdict(
        decision=decision,
        reasons=tuple(reasons),
        monitored=tuple(_reason(policy, problem) for policy, problem in monitored),
        risk=risk,
        risk_parts=tuple(parts),
        evaluated=notes.evaluated,
        flows=tuple(flow.name for flow in flows),
        stages=stages,
        calendars=rules.calendars_of(stages),
        grant=kind.grant,
        reversible=kind.reversible,
        trace={
            "revision": rules.revision,
            "policies": notes.policies,
            "default": not said,
            "risk": [part.as_data() for part in parts],
            "risk_factors": notes.risk,
            "lookbacks": _lookbacks(notes.lookbacks, facts),
            "facts": notes.facts,
            "missing": list(notes.missing),
        },
    )


def _hear(
    rules: CompiledRules,
    facts: Facts,
    known: Situation | CannotEvaluate,
    notes: _Notes,
) -> tuple[list[_Say], list[_Say]]:
    """Ask every policy that could apply. Return who enforces and who is on trial,
    strictest first, with the problem of those that could not be evaluated."""
    said: list[_Say] = []
    monitored: list[_Say] = []
    for policy, clause in rules.policies.matching(facts.action):
        holds, problem = notes.ask(clause, known)
        enforced = policy.mode == Mode.ENFORCE
        notes.policies.append(_noted(policy, holds, problem))
        # A policy on trial must not change what silence does.
        notes.evaluated &= not (enforced and problem)
        if holds or (problem and policy.decision != Decision.ALLOW):
            (said if enforced else monitored).append((policy, problem))
    for heard in (said, monitored):
        heard.sort(key=lambda say: -say[0].decision.strictness)
    return said, monitored


def _risk(
    rules: CompiledRules,
    facts: Facts,
    kind: ActionType,
    sensitivity: int,
    notes: _Notes,
) -> list[RiskPart]:
    """What adds to the risk. What cannot be evaluated adds as if it held."""
    parts = [RiskPart(f"action type {facts.action}", kind.base_risk)]
    if facts.resource is not None:
        parts.append(RiskPart(f"resource {facts.resource['type']}", sensitivity))
    factors = rules.factors.matching(facts.action)
    known = _known(facts, sensitivity, None) if factors else CannotEvaluate("")
    for factor, clause in factors:
        holds, problem = notes.ask(clause, known)
        notes.evaluated &= not problem
        if holds or problem:
            parts.append(RiskPart(factor.name, factor.points))
        matched = "error" if problem else holds
        entry = {"factor": factor.name, "matched": matched, "when": factor.when}
        notes.risk.append(entry | ({"error": problem} if problem else {}))
    return [part for part in parts if part.points]


def _known(
    facts: Facts, sensitivity: int, risk: int | None
) -> Situation | CannotEvaluate:
    try:
        return situation(facts, sensitivity, risk)
    except CannotEvaluate as problem:
        return problem


def _reason(policy: Policy, problem: str) -> Reason:
    words = policy.reason
    if problem:
        words = f"{words} (could not be evaluated: {problem})".strip()
    return Reason(policy.name, policy.version, policy.decision, words)


def _default(rules: RuleSet) -> Reason:
    if rules.default is None:
        # Fail closed: what nobody has thought about, nobody has allowed.
        return Reason(None, None, Decision.BLOCK, NO_POLICY)
    return Reason(None, None, rules.default.decision, BY_DEFAULT)


def _flows(rules: CompiledRules, said: list[Policy]) -> list[Flow]:
    """The flows to satisfy, each once, in the order of the file.

    A flow that is not there stands in as one without stages: it asks nobody.
    """
    asking = [p.flow for p in said if p.decision == Decision.REQUIRE_APPROVAL]
    default = rules.rules.default
    if not said and default and default.decision == Decision.REQUIRE_APPROVAL:
        asking = [default.flow]
    names = dict.fromkeys(name or "" for name in asking)
    flows = [rules.flows.get(name, Flow(name, ())) for name in names]
    return sorted(flows, key=lambda flow: (flow.position, flow.name))


def _noted(policy: Policy, holds: bool, problem: str) -> dict[str, Any]:
    entry = {
        "policy": policy.name,
        "version": policy.version,
        "mode": policy.mode.value,
        "decision": policy.decision.value,
        "matched": "error" if problem else holds,
        "reason": policy.reason,
        "when": policy.when,
    }
    return entry | ({"error": problem} if problem else {})


def _lookbacks(names: set[str], facts: Facts) -> dict[str, Any]:
    found = {name: facts.history.get(name) for name in sorted(names)}
    return {
        name: None if each is None else {"count": each.count, "sum": each.sum}
        for name, each in found.items()
    }


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
