"""What do the policies say to this action? Facts in, verdict out, no database.

The strictest policy that matches decides. A condition that cannot be evaluated counts
as a match for policies that block or ask, and as none for those that allow: nothing is
ever allowed because of something unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from policies.cel import CannotEvaluate
from policies.compiled import (
    Clause,
    CompiledRules,
    compile_rules,
    conditions,
    lookbacks_for,
)
from policies.flows import merge_flows
from policies.patterns import is_pattern, matches
from policies.rules import (
    ActionType,
    Decision,
    Facts,
    Flow,
    Mode,
    Policy,
    RiskFactor,
    RuleSet,
    Stage,
)
from policies.schemas import BadSchema, check_schema, schema_errors
from policies.situation import MISSING, Ground, ground, lookup
from policies.summaries import summary
from policies.tracing import Known, NoNotes, Notes
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


def judge(rules: CompiledRules, facts: Facts, *, trace: bool = True) -> Verdict:
    """Judge one action. The same rules and facts always give the same verdict.

    Without a trace the verdict cannot be explained, and costs less.
    """
    case, notes = _case(rules, facts), Notes() if trace else NoNotes()
    parts = _risk(case, notes)
    risk = max(0, min(100, sum(part.points for part in parts)))
    said, monitored = _hear(case, risk, notes)
    ruling = _rule(rules, said)
    return Verdict(
        decision=ruling.decision,
        reasons=ruling.reasons,
        monitored=tuple(_reason(policy, problem) for policy, problem in monitored),
        risk=risk,
        risk_parts=tuple(parts),
        evaluated=notes.evaluated,
        flows=tuple(flow.name for flow in ruling.flows),
        stages=ruling.stages,
        calendars=rules.calendars_of(ruling.stages),
        grant=case.kind.grant,
        reversible=case.kind.reversible,
        trace={
            "revision": rules.revision,
            "default": not said,
            "risk": [part.as_data() for part in parts],
            "sensitivity": case.sensitivity,
            **notes.trace(facts, case.calendars),
        },
    )


@dataclass(frozen=True, slots=True)
class _Case:
    """One action before the rules, with what they have to say about it beforehand."""

    facts: Facts
    policies: Sequence[tuple[Policy, Clause]]
    factors: Sequence[tuple[RiskFactor, Clause]]
    kind: ActionType
    sensitivity: int
    calendars: Mapping[str, Mapping[str, bool]]
    ground: Ground | CannotEvaluate

    def at(self, risk: int | None) -> Known:
        if isinstance(self.ground, CannotEvaluate):
            return self.ground
        try:
            return self.ground.at(risk)
        except CannotEvaluate as problem:
            return problem


def _case(rules: CompiledRules, facts: Facts) -> _Case:
    policies = rules.policies.matching(facts.action)
    factors = rules.factors.matching(facts.action)
    kind = rules.action_types.get(facts.action, _UNKNOWN)
    sensitivity = rules.sensitivity(facts.resource)
    asked = [*conditions(policies), *conditions(factors)]
    calendars = rules.calendars_at(facts.now, asked)
    found: Ground | CannotEvaluate
    try:
        found = ground(facts, sensitivity, calendars)
    except CannotEvaluate as problem:
        found = problem
    return _Case(facts, policies, factors, kind, sensitivity, calendars, found)


def _risk(case: _Case, notes: Notes) -> list[RiskPart]:
    """What adds to the risk. What cannot be evaluated adds as if it held."""
    facts = case.facts
    parts = [RiskPart(f"action type {facts.action}", case.kind.base_risk)]
    if facts.resource is not None:
        parts.append(RiskPart(f"resource {facts.resource['type']}", case.sensitivity))
    known = case.at(None) if case.factors else CannotEvaluate()
    for factor, clause in case.factors:
        holds, problem = notes.ask(clause, known)
        notes.note_factor(factor, holds, problem)
        notes.evaluated &= not problem
        if holds or problem:
            parts.append(RiskPart(factor.name, factor.points))
    return [part for part in parts if part.points]


def _hear(case: _Case, risk: int, notes: Notes) -> tuple[list[_Say], list[_Say]]:
    """Ask every policy that could apply. Return who enforces and who is on trial,
    strictest first, with the problem of those that could not be evaluated."""
    said: list[_Say] = []
    monitored: list[_Say] = []
    known = case.at(risk)
    for policy, clause in case.policies:
        holds, problem = notes.ask(clause, known)
        notes.note_policy(policy, holds, problem)
        enforced = policy.mode == Mode.ENFORCE
        # A policy on trial must not change what silence does.
        notes.evaluated &= not (enforced and problem)
        if holds or (problem and policy.decision != Decision.ALLOW):
            (said if enforced else monitored).append((policy, problem))
    for heard in (said, monitored):
        heard.sort(key=lambda say: -say[0].decision.strictness)
    return said, monitored


class _Ruling(NamedTuple):
    decision: Decision
    reasons: tuple[Reason, ...]
    flows: list[Flow]
    stages: tuple[Stage, ...] = ()


def _rule(rules: CompiledRules, said: list[_Say]) -> _Ruling:
    """Let the strictest decide, or the default, and work out who is to be asked."""
    reasons = tuple(_reason(policy, problem) for policy, problem in said)
    reasons = reasons or (_default(rules.rules),)
    decision = reasons[0].decision
    flows = _flows(rules, [policy for policy, _ in said])
    if decision != Decision.REQUIRE_APPROVAL:
        return _Ruling(decision, reasons, flows)
    if not all(flow.stages for flow in flows):
        # Fail closed: nothing may count as approved because nobody was asked.
        nobody = Reason(None, None, Decision.BLOCK, NOBODY_ASKED)
        return _Ruling(Decision.BLOCK, (nobody, *reasons), flows)
    names = tuple(flow.name for flow in flows)
    return _Ruling(decision, reasons, flows, rules.stages(names))


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
