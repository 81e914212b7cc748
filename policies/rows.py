"""How is each kind of rule kept in the database? Bodies to rows, and back.

Only ``policies.services`` writes through this module.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django.contrib.auth.models import Group
from django.db import models

from governance.models import ActionType, Resource, User
from policies import bodies, durations
from policies.bodies import Body, State, Subject
from policies.models import (
    Calendar,
    Flow,
    FlowStage,
    Lookback,
    Policy,
    PolicyTest,
    RiskFactor,
    RuleSet,
)
from policies.staffing import staffed

Row = TypeVar("Row", bound=models.Model)

ORDERED: Mapping[Subject, type[Flow | Policy]] = {
    Subject.FLOW: Flow,
    Subject.POLICY: Policy,
}


def read_all() -> State:
    """Return every rule there is. Policies and flows come in their order."""
    state = bodies.empty()
    for subject, found in (
        (Subject.CALENDAR, map(_calendar, Calendar.objects.all())),
        (Subject.ACTION_TYPE, map(_action_type, ActionType.objects.all())),
        (Subject.RESOURCE, map(_resource, Resource.objects.all())),
        (Subject.LOOKBACK, map(lookback, Lookback.objects.all())),
        (Subject.RISK_FACTOR, map(_risk_factor, RiskFactor.objects.all())),
        (Subject.FLOW, map(_flow, _flows())),
        (Subject.POLICY, map(policy, Policy.objects.select_related("flow"))),
        (Subject.DEFAULT, _default()),
        (Subject.TEST, map(_test, PolicyTest.objects.all())),
    ):
        state[subject] = {bodies.name_of(subject, body): body for body in found}
    return state


def _calendar(row: Calendar) -> Body:
    return {
        "name": row.name,
        "time_zone": row.time_zone,
        "days": row.days,
        "hours": row.hours,
        "holidays": row.holidays,
    }


def _test(row: PolicyTest) -> Body:
    return {"name": row.name, **row.body}


def _action_type(row: ActionType) -> Body:
    return {
        "name": row.name,
        "title": row.title,
        "base_risk": row.base_risk,
        "reversible": row.reversible,
        "grant": durations.text(row.grant),
        "summary": row.summary,
        "params_schema": row.params_schema,
    }


def _resource(row: Resource) -> Body:
    return {"type": row.type, "id": row.pattern, "sensitivity": row.sensitivity}


def lookback(row: Lookback) -> Body:
    return {
        "name": row.name,
        "actions": row.actions,
        "key": row.key,
        "window": row.window,
        "sum": row.sum,
        "distinct": row.distinct,
        "decision": row.decision,
        "time_zone": row.time_zone,
    }


def _risk_factor(row: RiskFactor) -> Body:
    return {
        "name": row.name,
        "actions": row.actions,
        "when": row.when,
        "points": row.points,
    }


def _flows() -> models.QuerySet[Flow]:
    groups = ("stages__groups", "stages__escalate_to", "stages__reassign_to")
    return Flow.objects.prefetch_related("stages__calendar", *groups)


def _flow(row: Flow) -> Body:
    return {"name": row.name, "stages": [_stage(stage) for stage in row.stages.all()]}


def _stage(row: FlowStage) -> Body:
    return {
        "name": row.name,
        "step": row.step,
        "groups": sorted(group.name for group in row.groups.all()),
        "approvals": row.approvals,
        "sla": durations.text(row.sla) if row.sla else None,
        "timeout": durations.text(row.timeout) if row.timeout else None,
        "on_timeout": row.on_timeout,
        "escalate_to": sorted(group.name for group in row.escalate_to.all()),
        "auto_approve_max_risk": row.auto_approve_max_risk,
        "rejections": row.rejections,
        "silence": row.silence,
        "calendar": row.calendar.name if row.calendar else None,
        "reassign_to": sorted(group.name for group in row.reassign_to.all()),
    }


def policy(row: Policy) -> Body:
    return {
        "name": row.name,
        "actions": row.actions,
        "when": row.when,
        "decision": row.decision,
        "flow": row.flow.name if row.flow else None,
        "reason": row.reason,
        "mode": row.mode,
    }


def _default() -> Iterable[Body]:
    row = RuleSet.objects.select_related("default_flow").first()
    if row and row.default_decision:
        flow = row.default_flow.name if row.default_flow else None
        yield {"decision": row.default_decision, "flow": flow}


def write(subject: Subject, body: Body, version: int) -> models.Model | None:
    """Create the rule's row, or change it. Return it, but for the default."""
    values = {**body}
    match subject:
        case Subject.ACTION_TYPE:
            values["grant"] = durations.parse(body["grant"])
            return _put(ActionType, values, "name")
        case Subject.RESOURCE:
            values["pattern"] = values.pop("id")
            return _put(Resource, values, "type", "pattern")
        case Subject.CALENDAR:
            return _put(Calendar, values, "name")
        case Subject.LOOKBACK:
            return _put(Lookback, values, "name")
        case Subject.TEST:
            name = values.pop("name")
            return _put(PolicyTest, {"name": name, "body": values}, "name")
        case Subject.RISK_FACTOR:
            return _put(RiskFactor, values, "name")
        case Subject.POLICY:
            values |= {"flow": _flow_named(body["flow"]), "version": version}
            return _put(Policy, values, "name")
        case Subject.FLOW:
            flow = _put(Flow, {"name": body["name"], "version": version}, "name")
            _put_stages(flow, body["stages"])
            return flow
        case Subject.DEFAULT:
            _put_default(body["decision"], body["flow"])
    return None


def remove(subject: Subject, body: Body) -> None:
    name = body.get("name")
    match subject:
        case Subject.ACTION_TYPE:
            ActionType.objects.filter(name=name).delete()
        case Subject.RESOURCE:
            Resource.objects.filter(type=body["type"], pattern=body["id"]).delete()
        case Subject.CALENDAR:
            Calendar.objects.filter(name=name).delete()
        case Subject.LOOKBACK:
            Lookback.objects.filter(name=name).delete()
        case Subject.TEST:
            PolicyTest.objects.filter(name=name).delete()
        case Subject.RISK_FACTOR:
            RiskFactor.objects.filter(name=name).delete()
        case Subject.FLOW:
            Flow.objects.filter(name=name).delete()
        case Subject.DEFAULT:
            _put_default("", None)
        case Subject.POLICY:
            raise AssertionError("Policies are retired, never removed.")


def write_order(subject: Subject, names: Sequence[str]) -> None:
    """Give policies or flows the positions they have in this list."""
    wanted = {name: position for position, name in enumerate(names)}
    rows: models.Manager[Any] = ORDERED[subject]._default_manager
    moved = [row for row in rows.all() if row.position != wanted[row.name]]
    for row in moved:
        row.position = wanted[row.name]
    rows.bulk_update(moved, ["position"], batch_size=500)


def missing_groups(state: State) -> list[str]:
    """Return the groups that flows name and nobody has created, sorted."""
    known = set(Group.objects.values_list("name", flat=True))
    return sorted(set(groups_of(state[Subject.FLOW].values())) - known)


def groups_of(flows: Iterable[Body]) -> Iterable[str]:
    for flow in flows:
        for stage in flow["stages"]:
            yield from stage["groups"]
            yield from stage["escalate_to"]
            yield from stage["reassign_to"]
            for step in stage["silence"]:
                yield from step["to"]


def deserted_stages(state: State) -> Iterator[tuple[str, str]]:
    """Yield the stages nobody could approve, and the groups in which nobody is.

    People who may not log in do not count. A stage that asks for more people than
    there are is as deserted as one with nobody, and nobody counts at two stages.
    """
    people = defaultdict(set)
    through = User.groups.through.objects.filter(user__is_active=True)
    for group, user in through.values_list("group__name", "user_id"):
        people[group].add(user)
    for flow in state[Subject.FLOW].values():
        stages = flow["stages"]
        able = [set().union(*(people[g] for g in stage["groups"])) for stage in stages]
        asked = [(s["approvals"], who) for s, who in zip(stages, able, strict=True)]
        for stage, who, found in zip(stages, able, staffed(asked), strict=True):
            if found < stage["approvals"]:
                yield (
                    f"the stage {stage['name']} of the flow {flow['name']}",
                    _too_few(stage, len(who), found),
                )


def _too_few(stage: Body, able: int, found: int) -> str:
    """Say it of the groups, or of what other stages leave of them."""
    groups, needed = " or ".join(stage["groups"]), stage["approvals"]
    if able < needed:
        return f"{able} of the {needed} it asks for are in {groups}"
    others = "whoever the other stages need counts only once"
    return f"{found} of the {needed} it asks for are left in {groups}, as {others}"


def create_groups(names: Iterable[str]) -> None:
    Group.objects.bulk_create(Group(name=name) for name in names)


def _put(model: type[Row], values: Body, *key: str) -> Row:
    identity = {name: values.pop(name) for name in key}
    row, _ = model._default_manager.update_or_create(**identity, defaults=values)
    return row


def _flow_named(name: str | None) -> Flow | None:
    return Flow.objects.get(name=name) if name else None


def _put_stages(flow: Flow, stages: Iterable[Body]) -> None:
    """Stages have no life of their own: a request keeps the terms it was opened on."""
    flow.stages.all().delete()
    groups = {group.name: group for group in Group.objects.all()}
    for body in stages:
        values: dict[str, Any] = {**body}
        asked = {
            name: values.pop(name) for name in ("groups", "escalate_to", "reassign_to")
        }
        if body["calendar"]:
            values["calendar"] = Calendar.objects.get(name=body["calendar"])
        for field in ("sla", "timeout"):
            values[field] = durations.parse(body[field]) if body[field] else None
        stage = flow.stages.create(**values)
        for name, names in asked.items():
            getattr(stage, name).set(groups[each] for each in names)


def _put_default(decision: str, flow: str | None) -> None:
    RuleSet.objects.filter(pk=1).update(
        default_decision=decision, default_flow=_flow_named(flow)
    )
