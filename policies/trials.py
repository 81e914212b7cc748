"""Do the rules still say what their tests expect? A test is run, and told in words.

A test is a sample action and what the rules must say to it. It is judged as a real one
would be, with nothing else on record than what the test says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.errors import Problem
from policies import bodies, engine, rulesets, samples
from policies.bodies import Body, State, Subject
from policies.compiled import Clause, CompiledRules
from policies.engine import Verdict
from policies.patterns import matches
from policies.plan import Plan
from policies.rules import ActionType, Decision, Mode, Policy

Place = tuple[Subject, str]


@dataclass(frozen=True, slots=True)
class Trial:
    """One test that was run. Without differences the rules say what it expects."""

    name: str
    verdict: Verdict | None
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        return "; ".join(self.differences)


def run(rules: CompiledRules, test: Body, at: datetime) -> Trial:
    """Run one test. ``at`` is when it happens, unless the test says."""
    kind = rules.action_types.get(test["action"], ActionType(name=""))
    if errors := engine.schema_errors(kind, test["params"]):
        # Nobody would be asked: the submission itself would be refused.
        return Trial(test["name"], None, tuple(_unfit(errors)))
    verdict = engine.judge(rules, samples.facts(test, rules, at))
    return Trial(test["name"], verdict, tuple(_differences(rules, test, verdict)))


def run_all(state: State, at: datetime) -> list[Trial]:
    """Run every test among these rules against them."""
    return list(_run(state, state[Subject.TEST], at))


def problems(plan: Plan, at: datetime) -> dict[Place, list[Problem]]:
    """Return which tests the rules would fail after this plan. Empty: go ahead.

    When only tests change, only they are run.
    """
    tests = plan.after[Subject.TEST]
    if plan and all(change.subject is Subject.TEST for change in plan.changes):
        changed = {change.name for change in plan.changes}
        judged = bool(plan.reorderings)
        tests = {n: test for n, test in tests.items() if judged or n in changed}
    if not plan:
        tests = {}
    failed = [trial for trial in _run(plan.after, tests, at) if not trial.passed]
    return {
        (Subject.TEST, trial.name): [Problem("/expect", "test_failed", _said(trial))]
        for trial in failed
    }


def _said(trial: Trial) -> str:
    return f"The test {trial.name} fails: {trial}."


def _run(state: State, tests: Mapping[str, Body], at: datetime) -> Iterator[Trial]:
    if tests:
        asked = _about(state, {test["action"] for test in tests.values()})
        rules = engine.compile_rules(rulesets.rule_set(asked, {}))
        yield from (run(rules, test, at) for test in tests.values())


def _about(state: State, actions: Iterable[str]) -> State:
    """Leave out what cannot apply to these actions: compiling is most of the work."""
    wanted = bodies.copy(state)
    for subject in (Subject.POLICY, Subject.RISK_FACTOR):
        wanted[subject] = {
            name: body
            for name, body in state[subject].items()
            if any(matches(p, action) for p in body["actions"] for action in actions)
        }
    return wanted


def _unfit(errors: Iterable[Problem]) -> Iterator[str]:
    for error in errors:
        place = error.path.strip("/").replace("/", ".")
        yield f"{place} does not fit the schema: {error.detail}"


def _differences(rules: CompiledRules, test: Body, verdict: Verdict) -> Iterator[str]:
    expected = test["expect"]
    if expected["decision"] not in (None, verdict.decision):
        why = "; ".join(_why(rules, test, verdict))
        yield f"expected {expected['decision']}, got {verdict.decision}: {why}"
    found: Mapping[str, Any] = {
        "policies": sorted(r.policy for r in verdict.reasons if r.policy),
        "flows": list(verdict.flows),
        "risk": verdict.risk,
    }
    for name, value in found.items():
        if expected[name] not in (None, value):
            yield f"expected {name} {_shown(expected[name])}, got {_shown(value)}"


def expected(test: Body) -> Iterator[str]:
    """Yield what a test expects, in words: REQUIRE_APPROVAL, flows managers."""
    for name, value in test["expect"].items():
        if value is not None:
            yield value if name == "decision" else f"{name} {_shown(value)}"


def _shown(value: Any) -> str:
    return (", ".join(value) or "none") if isinstance(value, list) else str(value)


def _why(rules: CompiledRules, test: Body, verdict: Verdict) -> Iterator[str]:
    """Say who decided, and who should have: each with the values it looked at."""
    noted = {each["policy"]: each for each in verdict.trace["policies"]}
    deciding = {r.policy for r in verdict.reasons if r.decision == verdict.decision}
    if None in deciding:
        yield verdict.reasons[0].reason.rstrip(".")
    wanted = Decision(test["expect"]["decision"])
    for policy, clause in rules.policies.matching(test["action"]):
        # What should have decided and did not say so: it did not match, or is on trial.
        if policy.name in deciding or policy.decision == wanted:
            yield _told(policy, clause, noted[policy.name]["matched"], verdict)


def _told(policy: Policy, clause: Clause, matched: Any, verdict: Verdict) -> str:
    how = {True: "matched", False: "did not match"}
    mode = "" if policy.mode == Mode.ENFORCE else f" (mode {policy.mode})"
    text = f"{policy.name}{mode} {how.get(matched, 'could not be evaluated')}"
    values = ", ".join(_values(clause, verdict.trace))
    return f"{text}: {values}" if values else text


def _values(clause: Clause, trace: Mapping[str, Any]) -> Iterator[str]:
    for names in clause.condition.facts if clause.condition else ():
        path = ".".join(names)
        if path in trace["missing"]:
            yield f"{path} is missing"
        elif path in trace["facts"]:
            yield f"{path} is {json.dumps(trace['facts'][path], ensure_ascii=False)}"
