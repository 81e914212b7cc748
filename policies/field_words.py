"""What is each key of a policy file for? The help that editors show, by place."""

from __future__ import annotations

from collections.abc import Mapping

_PATTERNS = (
    "Which actions: names (refund.create), dotted prefixes with a star (refund.*) or *."
)
_TIME_ZONE = "A time zone like Europe/Berlin."
_DECISION = (
    "ALLOW lets it through, REQUIRE_APPROVAL asks the people of a flow, BLOCK forbids it. "
    "The strictest of all policies that match wins."
)
_WHEN = (
    "A condition in CEL, true or false, about action, params, context, resource, agent, "
    "history and now. Left out: always. "
)

WORDS: Mapping[str, str] = {
    "": "Which actions of agents go through, which need people, and which are forbidden.",
    "version": "The version of this format: 1.",
    # The default
    "default": "What applies when no policy has a say. Left out, the action is blocked.",
    "default.decision": "BLOCK or REQUIRE_APPROVAL. A default cannot allow.",
    "default.flow": "Who must agree. Goes with REQUIRE_APPROVAL, and only with it.",
    # Calendars
    "calendars": "When people work: for deadlines of stages, and for conditions.",
    "calendars.name": "What stages and conditions call it.",
    "calendars.time_zone": _TIME_ZONE,
    "calendars.days": "The days of the week on which people work.",
    "calendars.hours": "The stretches of a day in which they work: 09:00-17:00.",
    "calendars.holidays": "Days on which nobody works: 2026-12-25.",
    # Action types
    "action_types": "The catalogue: what an action means, and what its parameters are.",
    "action_types.name": "The action's full name: refund.create.",
    "action_types.title": "What people call it.",
    "action_types.base_risk": "The risk it has by itself, 0 to 100.",
    "action_types.reversible": "Whether it can be undone. People are told if it cannot.",
    "action_types.grant": "How long an allowed or approved action may be consumed: 1h.",
    "action_types.summary": (
        "The line people see in lists and messages. Placeholders: {action}, "
        "{params.amount}, {resource.type}, {resource.id}."
    ),
    "action_types.params_schema": (
        "JSON Schema of the parameters. What does not fit is refused before any policy is "
        "asked."
    ),
    # Resources
    "resources": "How sensitive the things are that actions touch.",
    "resources.type": "The type that agents name: order, table, cluster.",
    "resources.id": "An id, or a shell pattern with *, ? and […].",
    "resources.sensitivity": "What it adds to the risk, 0 to 100.",
    # Lookbacks
    "lookbacks": "What is counted and summed over earlier actions, for conditions.",
    "lookbacks.name": "Conditions say history.<name>.count.",
    "lookbacks.actions": _PATTERNS,
    "lookbacks.key": (
        "What the earlier actions must have in common: a path like params.customer_id, or "
        "several. Left out, all actions count together."
    ),
    "lookbacks.window": (
        "How far back: a duration like 30d, or this calendar day, week, month or year."
    ),
    "lookbacks.sum": "The number to add up: a path like params.amount.",
    "lookbacks.distinct": "The path whose different values are counted.",
    "lookbacks.decision": "Count only what the policies judged so.",
    "lookbacks.time_zone": f"Where the day, week, month or year begins. {_TIME_ZONE}",
    # Risk factors
    "risk_factors": "Points of risk for actions that match.",
    "risk_factors.name": "What people read in the parts of the risk.",
    "risk_factors.actions": _PATTERNS,
    "risk_factors.when": f"{_WHEN}It may not use risk.",
    "risk_factors.points": "What it adds to the risk, 0 to 100.",
    # Flows
    "flows": "Who must agree. Flows needed together are asked in this order.",
    "flows.name": "What policies call it.",
    "flows.stages": "The stages, in the order in which they are asked.",
    "flows.stages.name": "What people see: Manager.",
    "flows.stages.step": (
        "Stages of one step are open side by side. Left out: the stage's position."
    ),
    "flows.stages.groups": "Whose members may decide. Missing groups are made, empty.",
    "flows.stages.approvals": (
        "How many different people, out of all its groups together."
    ),
    "flows.stages.sla": "A mark that alerts and decides nothing. Before the timeout.",
    "flows.stages.timeout": "How long people have: 4h.",
    "flows.stages.on_timeout": (
        "What silence means: reject, escalate to further groups, hold, or approve what is "
        "low in risk."
    ),
    "flows.stages.escalate_to": "Who is asked as well. Goes with on_timeout: escalate.",
    "flows.stages.auto_approve_max_risk": (
        "Up to which risk silence approves. Goes with on_timeout: approve."
    ),
    "flows.stages.rejections": "How many people it takes to reject.",
    "flows.stages.silence": (
        "What silence does, step by step, instead of timeout and on_timeout. The last step "
        "is reject, hold or approve."
    ),
    "flows.stages.silence.after": "How long after the stage opened: 4h.",
    "flows.stages.silence.do": (
        "remind who is asked, escalate to further groups, and at the end reject, hold or "
        "approve."
    ),
    "flows.stages.silence.to": "Who is asked as well. Goes with do: escalate.",
    "flows.stages.silence.max_risk": (
        "Up to which risk silence approves. Goes with do: approve."
    ),
    "flows.stages.calendar": "Only the time in which people of this calendar work counts.",
    "flows.stages.reassign_to": "The groups that a request may be handed on to.",
    # Policies
    "policies": "The rules. All that match have a say; the strictest decides.",
    "policies.name": "What identifies it across loads, and what reasons name.",
    "policies.actions": _PATTERNS,
    "policies.when": f"{_WHEN}It may use risk.",
    "policies.decision": _DECISION,
    "policies.flow": "Who must agree. Goes with REQUIRE_APPROVAL, and only with it.",
    "policies.reason": "What people and agents read: why this policy decides so.",
    "policies.mode": (
        "enforce; monitor: recorded and not enforced; draft: not evaluated; retired: over."
    ),
    # Tests
    "tests": "Sample actions and what the rules must say. One that fails stops the load.",
    "tests.name": "What it is called. Left out, it is named after what it tries.",
    "tests.action": "The action's full name.",
    "tests.params": "Its parameters.",
    "tests.resource": "What it is about.",
    "tests.resource.type": "The resource's type.",
    "tests.resource.id": "The resource's id.",
    "tests.context": "Supporting facts, as the agent sends them.",
    "tests.agent": "Who asks.",
    "tests.agent.name": "The agent's name.",
    "tests.agent.environment": "Where it runs.",
    "tests.agent.tags": "Its tags.",
    "tests.history": "What lookbacks find, by name. Those left out find nothing.",
    "tests.history.count": "How many earlier actions.",
    "tests.history.sum": "What they add up to.",
    "tests.history.distinct": "How many different values. Left out: 1 if there are any.",
    "tests.now": "When it happens: 2026-11-25T14:00:00Z. Left out: now.",
    "tests.expect": "The decision, or more than that.",
    "tests.expect.decision": _DECISION,
    "tests.expect.policies": "The policies that have a say, all of them.",
    "tests.expect.flows": "The flows that are asked, in order.",
    "tests.expect.risk": "The risk, 0 to 100.",
}
