"""Requests that may be decided together, and those that may not."""

from __future__ import annotations

from typing import Any

from approvals import services
from approvals.models import ApprovalRequest
from approvals.services import Proposal
from governance.models import Agent
from policies import services as rules
from policies.bodies import Subject

TAG = "ticket.tag"
KINDS: dict[str, dict[str, Any]] = {
    TAG: {"reversible": True, "summary": "Tag ticket {params.ticket}"},
    "ticket.close": {"reversible": True, "summary": "Close ticket {params.ticket}"},
    "ticket.delete": {"reversible": False},
    "ticket.merge": {"reversible": True, "base_risk": 25},
}


def install_rules() -> None:
    """Ask a manager about everything; tagging a ticket can be undone and risks little."""
    for name, more in KINDS.items():
        rules.save(Subject.ACTION_TYPE, {"name": name, **more})
    ask("managers", {"name": "Manager"}, actions=["*"])


def ask(flow: str, *stages: dict[str, Any], actions: list[str], when: str = "") -> None:
    """Have these actions ask managers in these stages."""
    terms = {"groups": ["customer-service-managers"], "timeout": "4h"}
    body = {"name": flow, "stages": [{**terms, **stage} for stage in stages]}
    rules.save(Subject.FLOW, body)
    policy = {"actions": actions, "decision": "REQUIRE_APPROVAL", "flow": flow}
    more = {"when": when} if when else {}
    rules.save(
        Subject.POLICY, {"name": f"ask-{flow}", "reason": "Ask.", **policy, **more}
    )


def tagging(agent: Agent, ticket: object = 1, action: str = TAG) -> ApprovalRequest:
    """Submit it, and return what people are asked."""
    return proposed(agent, {"ticket": ticket, "tag": "billing"}, action=action)


def proposed(
    agent: Agent,
    params: dict[str, Any],
    resource: dict[str, str] | None = None,
    *,
    action: str = TAG,
) -> ApprovalRequest:
    course, _ = services.submit(agent, Proposal(action, params, resource))
    assert course.request
    return course.request


def taggings(agent: Agent, count: int) -> list[ApprovalRequest]:
    return [tagging(agent, number) for number in range(1, count + 1)]
