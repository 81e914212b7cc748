"""What do these rules mean to the engine? Bodies to the engine's plain data."""

from __future__ import annotations

from datetime import date, timedelta

from policies import durations, fields, rules
from policies.bodies import Body, State, Subject


def rule_set(
    state: State, versions: dict[str, int], revision: int = 0
) -> rules.RuleSet:
    """Return these bodies as the engine takes them. Retired policies are left out."""
    return rules.RuleSet(
        policies=tuple(
            _policy(body, versions.get(name, 1))
            for name, body in state[Subject.POLICY].items()
            if body["mode"] != rules.Mode.RETIRED
        ),
        lookbacks=tuple(map(lookback, state[Subject.LOOKBACK].values())),
        risk_factors=tuple(map(_risk_factor, state[Subject.RISK_FACTOR].values())),
        action_types=tuple(map(_action_type, state[Subject.ACTION_TYPE].values())),
        resources=tuple(rules.Resource(**b) for b in state[Subject.RESOURCE].values()),
        calendars=tuple(map(calendar, state[Subject.CALENDAR].values())),
        flows=tuple(
            _flow(body, position)
            for position, body in enumerate(state[Subject.FLOW].values())
        ),
        default=next(map(_default, state[Subject.DEFAULT].values()), None),
        revision=revision,
    )


def calendar(body: Body) -> rules.Calendar:
    return rules.Calendar(
        name=body["name"],
        time_zone=body["time_zone"],
        days=tuple(fields.DAYS.index(day) for day in body["days"]),
        hours=tuple(map(fields.minutes, body["hours"])),
        holidays=frozenset(map(date.fromisoformat, body["holidays"])),
    )


def lookback(body: Body) -> rules.Lookback:
    return rules.Lookback(
        name=body["name"],
        actions=tuple(body["actions"]),
        key=body["key"],
        window=_window(body["window"]),
        sum=body["sum"] or None,
        distinct=body["distinct"] or None,
        decision=rules.Decision(body["decision"]) if body["decision"] else None,
        time_zone=body["time_zone"],
    )


def _window(text: str) -> timedelta | rules.Period:
    periods = list(rules.Period)
    return rules.Period(text) if text in periods else durations.parse(text)


def _policy(body: Body, version: int) -> rules.Policy:
    return rules.Policy(
        name=body["name"],
        version=version,
        actions=tuple(body["actions"]),
        decision=rules.Decision(body["decision"]),
        reason=body["reason"],
        when=body["when"],
        flow=body["flow"],
        mode=rules.Mode(body["mode"]),
    )


def _risk_factor(body: Body) -> rules.RiskFactor:
    return rules.RiskFactor(**{**body, "actions": tuple(body["actions"])})


def _action_type(body: Body) -> rules.ActionType:
    return rules.ActionType(**{**body, "grant": durations.parse(body["grant"])})


def _flow(body: Body, position: int) -> rules.Flow:
    return rules.Flow(body["name"], tuple(map(_stage, body["stages"])), position)


def _stage(body: Body) -> rules.Stage:
    return rules.Stage(
        **{
            **body,
            "groups": tuple(body["groups"]),
            "escalate_to": tuple(body["escalate_to"]),
            "sla": durations.parse(body["sla"]) if body["sla"] else None,
            "timeout": durations.parse(body["timeout"]) if body["timeout"] else None,
            "on_timeout": rules.OnTimeout(body["on_timeout"]),
            "silence": tuple(map(_silence, body["silence"])),
            "reassign_to": tuple(body["reassign_to"]),
        }
    )


def _silence(body: Body) -> rules.Silence:
    return rules.Silence(
        after=durations.parse(body["after"]),
        do=rules.Do(body["do"]),
        to=tuple(body["to"]),
        max_risk=body["max_risk"],
    )


def _default(body: Body) -> rules.Default:
    return rules.Default(rules.Decision(body["decision"]), body["flow"])
