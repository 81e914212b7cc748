"""What does each kind of rule look like as plain data?

A body is a rule as a policy file writes it, with every field present: what versions
keep, what plans compare, and what ``policies.rows`` stores.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from governance import text_safety
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
}


def _stage(raw: Any) -> Body:
    stage = fields.read_form(STAGE, raw)
    if problems := list(_stage_at_odds(stage)):
        raise Unfit("Some fields do not fit together.", problems)
    return stage


def _stage_at_odds(stage: Body) -> Iterator[Problem]:
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
        stage, "escalate_to", silence == rules.OnTimeout.ESCALATE, "escalate"
    )
    yield from _only_with(
        stage, "auto_approve_max_risk", silence == rules.OnTimeout.APPROVE, "approve"
    )


def _only_with(stage: Body, name: str, wanted: bool, silence: str) -> Iterator[Problem]:
    given = stage[name] not in (None, [])
    if wanted and not given:
        detail = f"Write {name} as well: on_timeout is {silence}."
        yield Problem(f"/{name}", "required", detail)
    if given and not wanted:
        detail = f"Leave {name} out: it goes with on_timeout: {silence}."
        yield Problem(f"/{name}", "unexpected", detail)


FORMS: Mapping[Subject, Form] = {
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
        "key": Field(fields.member),
        "window": Field(fields.duration),
        "sum": Field(fields.optional(fields.member), ""),
    },
    Subject.RISK_FACTOR: {
        "name": Field(fields.slug),
        "actions": _actions,
        "when": _when,
        "points": Field(_percent),
    },
    Subject.FLOW: {
        "name": Field(fields.slug),
        "stages": Field(fields.list_of(_stage, least=1, distinct=False)),
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
    return body


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
