"""What does each kind of rule look like as plain data?

A body is a rule as a policy file writes it, with every field present: what versions
keep, what plans compare, and what ``policies.rows`` stores.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from governance import canonical, text_safety
from governance.errors import Problem
from policies import durations, fields, rules
from policies.fields import Field, Form, Unfit
from policies.models import Version

Subject = Version.Subject
Body = dict[str, Any]
# All rules of all kinds, by kind and name.
State = dict[Subject, dict[str, Body]]

_PLACEHOLDER = re.compile(
    r"\{\s*(?:action|resource\.(?:type|id)|params(?:\.[A-Za-z0-9_-]+)+)\s*\}"
)
_percent = fields.whole(0, 100)
_actions = Field(fields.list_of(fields.action_pattern, least=1))
_groups = fields.sorted_list_of(fields.text(150), least=1)
_pattern = fields.text(200)
_flow = Field(fields.slug, None)
_when = Field(fields.condition, "")

SILENCE: Form = {
    "after": Field(fields.duration),
    "do": Field(fields.one_of(rules.Do)),
    "to": Field(fields.sorted_list_of(fields.text(150)), []),
    "max_risk": Field(_percent, None),
}
_step = fields.form(SILENCE, lambda raw: _silence(raw))
STAGE: Form = {
    "name": Field(fields.text(100)),
    "step": Field(fields.whole(1, 1000), None),
    "groups": Field(_groups),
    "approvals": Field(fields.whole(1, 100), 1),
    "sla": Field(fields.duration, None),
    "timeout": Field(fields.duration, None),
    "on_timeout": Field(fields.one_of(rules.OnTimeout), "reject"),
    "escalate_to": Field(fields.sorted_list_of(fields.text(150)), []),
    "auto_approve_max_risk": Field(_percent, None),
    "rejections": Field(fields.whole(1, 100), 1),
    "silence": Field(fields.list_of(_step, distinct=False), []),
    "calendar": Field(fields.lookback_name, None),
    "reassign_to": Field(fields.sorted_list_of(fields.text(150)), []),
}


def _silence(raw: Any) -> Body:
    step = fields.read_form(SILENCE, raw)
    problems = [
        *_only_with(step, "to", step["do"] == rules.Do.ESCALATE, "do: escalate"),
        *_only_with(step, "max_risk", step["do"] == rules.Do.APPROVE, "do: approve"),
    ]
    if problems:
        raise Unfit("Some fields do not fit together.", problems)
    return step


def _stage(raw: Any) -> Body:
    stage = fields.read_form(STAGE, raw)
    if problems := list(_stage_at_odds(stage)):
        raise Unfit("Some fields do not fit together.", problems)
    return stage


def _stage_at_odds(stage: Body) -> Iterator[Problem]:
    if stage["silence"]:
        yield from _silence_at_odds(stage)
        return
    silence = stage["on_timeout"]
    if not stage["timeout"] and silence != rules.OnTimeout.HOLD:
        detail = "Say how long people have, or write on_timeout: hold."
        yield Problem("/timeout", "required", detail)
    if stage["sla"] and stage["timeout"]:
        sla, timeout = (durations.parse(stage[name]) for name in ("sla", "timeout"))
        if sla >= timeout:
            detail = f"The sla must come before the timeout of {stage['timeout']}."
            yield Problem("/sla", "out_of_range", detail)
    yield from _only_with(
        stage,
        "escalate_to",
        silence == rules.OnTimeout.ESCALATE,
        "on_timeout: escalate",
    )
    yield from _only_with(
        stage,
        "auto_approve_max_risk",
        silence == rules.OnTimeout.APPROVE,
        "on_timeout: approve",
    )


def _silence_at_odds(stage: Body) -> Iterator[Problem]:
    """A chain says it all, comes in order of time, and has one end: its last step."""
    for name in ("timeout", "escalate_to", "auto_approve_max_risk"):
        if stage[name] not in (None, []):
            detail = f"Leave {name} out: silence says what happens when."
            yield Problem(f"/{name}", "unexpected", detail)
    if stage["on_timeout"] != rules.OnTimeout.REJECT:
        detail = "Leave on_timeout out: silence says what happens when."
        yield Problem("/on_timeout", "unexpected", detail)
    *steps, last = stage["silence"]
    before = durations.parse(steps[0]["after"]) if steps else None
    for index, step in enumerate(stage["silence"][1:], start=1):
        after = durations.parse(step["after"])
        if before is not None and after <= before:
            detail = "Each step must come later than the one before it."
            yield Problem(f"/silence/{index}/after", "out_of_range", detail)
        before = after
    for index, step in enumerate(steps):
        if step["do"] in rules.ENDS:
            detail = f"Nothing can follow {step['do']}: make it the last step."
            yield Problem(f"/silence/{index}/do", "unexpected", detail)
    if last["do"] not in rules.ENDS:
        detail = "The last step must be reject, hold or approve."
        yield Problem(f"/silence/{len(steps)}/do", "required", detail)
    if stage["sla"] and durations.parse(stage["sla"]) >= durations.parse(last["after"]):
        detail = f"The sla must come before the end after {last['after']}."
        yield Problem("/sla", "out_of_range", detail)


def _only_with(body: Body, name: str, wanted: bool, what: str) -> Iterator[Problem]:
    given = body[name] not in (None, [])
    if wanted and not given:
        detail = f"Write {name} as well: it goes with {what}."
        yield Problem(f"/{name}", "required", detail)
    if given and not wanted:
        detail = f"Leave {name} out: it goes with {what}."
        yield Problem(f"/{name}", "unexpected", detail)


TOUCHED: Form = {"type": Field(fields.text(100)), "id": Field(fields.text(200))}
AGENT: Form = {
    "name": Field(fields.slug, "test-agent"),
    "environment": Field(fields.text(50), "production"),
    "tags": Field(fields.list_of(fields.text(100)), []),
}
EXPECT: Form = {
    "decision": Field(fields.one_of(rules.Decision), None),
    "policies": Field(fields.sorted_list_of(fields.slug), None),
    "flows": Field(fields.list_of(fields.slug), None),
    "risk": Field(_percent, None),
}


_at_least_0 = fields.whole(0, 1_000_000_000)
FOUND: Form = {
    "count": Field(_at_least_0, None),
    "sum": Field(fields.number, None),
    "distinct": Field(_at_least_0, None),
}


def _found(raw: Any) -> Body:
    """What a lookback is to find. What is left out is worked out from the rest."""
    found = fields.read_form(FOUND, raw)
    return {name: value for name, value in found.items() if value is not None}


_decision = fields.one_of(rules.Decision)


@fields.takes(anyOf=[_decision.schema, fields.object_schema(EXPECT)])
def _expect(raw: Any) -> Body:
    """What the rules must say: a decision alone, or more."""
    form = fields.read_form(EXPECT, {"decision": raw} if isinstance(raw, str) else raw)
    if all(value is None for value in form.values()):
        raise Unfit(f"Say what to expect: {', '.join(EXPECT)}.")
    return form


FORMS: Mapping[Subject, Form] = {
    Subject.CALENDAR: {
        "name": Field(fields.lookback_name),
        "time_zone": Field(fields.time_zone, "UTC"),
        "days": Field(fields.days, ["mon", "tue", "wed", "thu", "fri"]),
        "hours": Field(fields.hours, ["09:00-17:00"]),
        "holidays": Field(fields.sorted_list_of(fields.day), []),
    },
    Subject.ACTION_TYPE: {
        "name": Field(fields.action_name),
        "title": Field(fields.text(200), ""),
        "base_risk": Field(_percent, 0),
        "reversible": Field(fields.yes_or_no, False),
        "grant": Field(fields.duration, "1h"),
        "summary": Field(fields.text(300), ""),
        "params_schema": Field(fields.json_object, None),
    },
    Subject.RESOURCE: {
        "type": Field(fields.text(100)),
        "id": Field(_pattern, "*"),
        "sensitivity": Field(_percent, 0),
    },
    Subject.LOOKBACK: {
        "name": Field(fields.lookback_name),
        "actions": _actions,
        "key": Field(fields.optional(fields.key), ""),
        "window": Field(fields.window),
        "sum": Field(fields.optional(fields.member), ""),
        "distinct": Field(fields.optional(fields.member), ""),
        "decision": Field(fields.optional(fields.one_of(rules.Decision)), ""),
        "time_zone": Field(fields.time_zone, "UTC"),
    },
    Subject.RISK_FACTOR: {
        "name": Field(fields.slug),
        "actions": _actions,
        "when": _when,
        "points": Field(_percent),
    },
    Subject.FLOW: {
        "name": Field(fields.slug),
        "stages": Field(
            fields.list_of(fields.form(STAGE, _stage), least=1, distinct=False)
        ),
    },
    Subject.POLICY: {
        "name": Field(fields.slug),
        "actions": _actions,
        "when": _when,
        "decision": Field(fields.one_of(rules.Decision)),
        "flow": _flow,
        "reason": Field(fields.text(500), ""),
        "mode": Field(fields.one_of(rules.Mode), "enforce"),
    },
    # What nobody has thought about, nobody has allowed.
    Subject.DEFAULT: {
        "decision": Field(
            fields.one_of(rules.Decision, without=[rules.Decision.ALLOW])
        ),
        "flow": _flow,
    },
    # Last: they are about all the others.
    Subject.TEST: {
        "name": Field(fields.slug, None),
        "action": Field(fields.action_name),
        "params": Field(fields.json_object, {}),
        "resource": Field(fields.form(TOUCHED), None),
        "context": Field(fields.json_object, {}),
        "agent": Field(fields.form(AGENT), fields.read_form(AGENT, {})),
        "history": Field(
            fields.map_of(fields.lookback_name, fields.form(FOUND, _found)), {}
        ),
        "now": Field(fields.moment, None),
        "expect": Field(_expect),
    },
}

DEFAULT = "default"


def empty() -> State:
    return {subject: {} for subject in FORMS}


def copy(state: State) -> State:
    return {subject: dict(bodies) for subject, bodies in state.items()}


def name_of(subject: Subject, body: Mapping[str, Any]) -> str:
    """Return what identifies a rule among its kind, across loads."""
    if subject is Subject.DEFAULT:
        return DEFAULT
    if subject is Subject.RESOURCE:
        return f"{body['type']}:{body['id']}"
    return str(body["name"])


def read(subject: Subject, raw: Any) -> Body:
    """Return the rule in its normal form. Raises ``Unfit``.

    This looks at the rule alone; ``policies.checks`` looks at it among the others.
    """
    body = fields.read_form(FORMS[subject], raw)
    if problems := list(_at_odds(subject, body)):
        raise Unfit("Some fields do not fit together.", problems)
    if subject is Subject.FLOW:
        for position, stage in enumerate(body["stages"], start=1):
            stage["step"] = stage["step"] or position
        body["stages"].sort(key=lambda stage: stage["step"])
    if subject is Subject.TEST and body["name"] is None:
        body["name"] = name_of_test(body)
    return body


def name_of_test(body: Body) -> str:
    """What it tries is what it is called: the same sample is the same test."""
    tried = {**body, "name": None}
    del tried["expect"]
    short = hashlib.sha256(canonical.canonical_bytes(tried)).hexdigest()[:8]
    return f"{body['action'][:80].rstrip('_.')}-{short}"


def _at_odds(subject: Subject, body: Body) -> Iterator[Problem]:
    match subject:
        case Subject.POLICY | Subject.DEFAULT:
            yield from _flow_for_approval(body)
        case Subject.ACTION_TYPE:
            yield from _summary(body["summary"])
        case Subject.RESOURCE:
            if ":" in body["type"]:
                yield Problem("/type", "invalid", "Write the type without a colon.")


def _flow_for_approval(body: Body) -> Iterator[Problem]:
    asks = body["decision"] == rules.Decision.REQUIRE_APPROVAL
    if asks and not body["flow"]:
        detail = "Name the flow that approves: REQUIRE_APPROVAL needs one."
        yield Problem("/flow", "required", detail)
    if body["flow"] and not asks:
        detail = f"Leave the flow out: {body['decision']} asks nobody."
        yield Problem("/flow", "unexpected", detail)


def _summary(summary: str) -> Iterator[Problem]:
    """Braces are for placeholders, and for nothing else."""
    for placeholder in re.findall(r"\{[^{}]*\}?|\}", summary):
        if not _PLACEHOLDER.fullmatch(placeholder):
            shown = text_safety.excerpt(placeholder)
            detail = f"{shown} is no placeholder: write {{params.amount}}."
            yield Problem("/summary", "invalid", detail)
