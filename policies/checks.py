"""Does a rule fit among the others? Flows exist, conditions compile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from governance.errors import Problem
from policies import cel, fields, rules, rulesets, schemas
from policies.bodies import Body, State, Subject
from policies.plan import Change, Plan

Place = tuple[Subject, str]


def problems(plan: Plan) -> dict[Place, list[Problem]]:
    """Return what would be wrong after this plan, by rule. Empty: go ahead."""
    found = {
        (change.subject, change.name): list(_misfits(change, plan))
        for change in plan.changes
        if change.after is not None
    }
    return {place: wrong for place, wrong in found.items() if wrong}


def users_of(subject: Subject, name: str, state: State) -> Iterator[str]:
    """Yield what still refers to a flow or lookback, as people call it."""
    if subject is Subject.FLOW:
        for policy in state[Subject.POLICY].values():
            if policy["flow"] == name:
                yield f"policy {policy['name']}"
        if any(body["flow"] == name for body in state[Subject.DEFAULT].values()):
            yield "the default"
    if subject is Subject.LOOKBACK:
        yield from (what for what, _, _ in _readers_of(subject, name, state))
        for test, body in state[Subject.TEST].items():
            if name in body["history"]:
                yield f"test {test}"
    if subject is Subject.CALENDAR:
        for flow, body in state[Subject.FLOW].items():
            if any(stage["calendar"] == name for stage in body["stages"]):
                yield f"flow {flow}"
        yield from (what for what, _, _ in _readers_of(subject, name, state))


def _readers_of(
    subject: Subject, rule: str, state: State
) -> Iterator[tuple[str, str, bool]]:
    """Yield name, condition, and whether it may use the risk, of what reads it."""
    for kind in (Subject.POLICY, Subject.RISK_FACTOR):
        risk = kind is Subject.POLICY
        for name, body in state[kind].items():
            if body["when"] and body.get("mode") != rules.Mode.RETIRED:
                with suppress(cel.BadCondition):
                    condition = _compile(body["when"], state, risk=risk)
                    calendar = subject is Subject.CALENDAR
                    if rule in (
                        condition.calendars if calendar else condition.lookbacks
                    ):
                        yield f"{kind.label.lower()} {name}", body["when"], risk


def _misfits(change: Change, plan: Plan) -> Iterator[Problem]:
    body, state = change.after or {}, plan.after
    match change.subject:
        case Subject.POLICY:
            yield from _flow_exists(body, state)
            # A policy can always be retired, also one that no longer compiles.
            if body["mode"] != rules.Mode.RETIRED:
                yield from _compiles(body["when"], state, risk=True)
        case Subject.DEFAULT:
            yield from _flow_exists(body, state)
        case Subject.FLOW:
            yield from _calendars_exist(body, state)
        case Subject.RISK_FACTOR:
            yield from _compiles(body["when"], state, risk=False)
        case Subject.ACTION_TYPE:
            yield from _schema_holds(body)
        case Subject.LOOKBACK:
            yield from _still_serves(change, plan)
        case Subject.TEST:
            yield from _lookbacks_exist(body, state)


def _still_serves(change: Change, plan: Plan) -> Iterator[Problem]:
    """What reads a lookback must still compile when the lookback stops telling."""
    before, after = change.before or {}, change.after or {}
    for told in ("sum", "distinct"):
        if before.get(told) and not after[told]:
            for who in _left_behind(change, plan):
                detail = f"The {told} is still used by {who}."
                yield Problem(f"/{told}", "rule_in_use", detail)


def _left_behind(change: Change, plan: Plan) -> Iterator[str]:
    changing = {f"{each.subject.label.lower()} {each.name}" for each in plan.changes}
    readers = _readers_of(Subject.LOOKBACK, change.name, plan.before)
    for who, when, risk in readers:
        if who not in changing and any(_compiles(when, plan.after, risk=risk)):
            yield who


def _flow_exists(body: Body, state: State) -> Iterator[Problem]:
    flow, flows = body["flow"], state[Subject.FLOW]
    if flow and flow not in flows:
        detail = f"There is no flow {flow}. {fields.nearest(flow, flows)}"
        yield Problem("/flow", "unknown_flow", detail)


def _calendars_exist(body: Body, state: State) -> Iterator[Problem]:
    known = state[Subject.CALENDAR]
    for index, stage in enumerate(body["stages"]):
        name = stage["calendar"]
        if name and name not in known:
            detail = f"There is no calendar {name}. {fields.nearest(name, known)}"
            path = f"/stages/{index}/calendar"
            yield Problem(path, "unknown_calendar", detail)


def _lookbacks_exist(body: Body, state: State) -> Iterator[Problem]:
    known = state[Subject.LOOKBACK]
    for name in body["history"]:
        if name not in known:
            detail = f"There is no lookback {name}. {fields.nearest(name, known)}"
            yield Problem(f"/history/{name}", "unknown_lookback", detail)


def _compiles(when: str, state: State, *, risk: bool) -> Iterator[Problem]:
    if when:
        try:
            _compile(when, state, risk=risk)
        except cel.BadCondition as bad:
            line = f"line {bad.line} of it, " if "\n" in when else ""
            detail = f"{bad.detail} (At {line}column {bad.column}.)"
            yield Problem("/when", "bad_condition", detail)


def _compile(when: str, state: State, *, risk: bool) -> cel.Condition:
    lookbacks = map(rulesets.lookback, state[Subject.LOOKBACK].values())
    calendars = map(rulesets.calendar, state[Subject.CALENDAR].values())
    return cel.compile_condition(
        when, lookbacks=list(lookbacks), calendars=list(calendars), risk=risk
    )


def _schema_holds(body: Body) -> Iterator[Problem]:
    if body["params_schema"] is not None:
        try:
            schemas.check_schema(body["params_schema"])
        except schemas.BadSchema as bad:
            yield Problem("/params_schema", "bad_schema", str(bad))
