"""What is left to do until the first decision? Read from what is there, never ticked off.

For those who set things up; when everything is done the list is gone.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.urls import reverse

from approvals.models import Vote
from governance.models import Action, Agent, AgentKey, User
from policies.models import FlowStage, Policy

# Whoever may make agents sets things up.
FOR = "governance.add_agent"
SAMPLE = {"order_id": "A-1001", "customer_id": "C-7", "amount": 75, "currency": "USD"}
SAMPLED = "refund.create"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: why, where in the console, and how from a terminal."""

    title: str
    text: str
    verb: str
    link: str
    command: str = ""
    done: bool = False


def steps(user: User) -> list[Step]:
    """Return all of them while any is left, for those who can take them."""
    if not user.has_perm(FOR):
        return []
    done = _done(user)
    if all(done):
        return []
    return [
        replace(step, done=is_done) for step, is_done in zip(_all(), done, strict=True)
    ]


def _done(user: User) -> list[bool]:
    """Ask for all of it in one query."""
    members = User.objects.filter(is_active=True, groups=OuterRef("groups"))
    there = [
        Agent.objects.all(),
        AgentKey.objects.all(),
        Policy.objects.filter(mode=Policy.Mode.ENFORCE),
        FlowStage.objects.filter(Exists(members)),
        Action.objects.all(),
        Vote.objects.all(),
    ]
    row = User.objects.filter(pk=user.pk).values_list(*(Exists(rows) for rows in there))
    return list(row.get())


def _all() -> list[Step]:
    agent = Agent.objects.order_by("pk").first()
    return [
        Step(
            "Make an agent",
            "The program that asks before it acts. From a terminal it gets its key "
            f"at once.{_elsewhere()}",
            "Add an agent",
            reverse("admin:governance_agent_add"),
            ".venv/bin/python manage.py create_agent refund-bot",
        ),
        Step(
            "Give it a key",
            "It sends the key with every call. It is shown once: keep it where the "
            "agent finds it.",
            "Issue a key" if agent else "Agents",
            _page("governance_agent_issue_key", agent)
            if agent
            else reverse("admin:governance_agent_changelist"),
        ),
        Step(
            "Load policies",
            "They say what goes through by itself, what is blocked, and who is asked. "
            "Until one is enforced everything is blocked. Begin with an example, or with "
            f"one of the cookbook.{_elsewhere()}",
            "Write a policy",
            reverse("admin:policies_policy_add"),
            ".venv/bin/python manage.py load_policies examples/refunds.yaml",
        ),
        Step(
            "Put people into the groups that are asked",
            _asked(),
            "People",
            reverse("admin:governance_user_changelist"),
        ),
        Step(
            "Send the first request",
            "As your agent would. Put its key in the place of YOUR_KEY.",
            "Actions",
            reverse("admin:governance_action_changelist"),
            _curl(),
        ),
        Step(
            "Decide it",
            "As one of those who are asked: not as the owner of the agent. The agent "
            "learns of it at once.",
            "Approvals",
            reverse("admin:approvals_approvalrequest_changelist"),
        ),
    ]


def _page(name: str, agent: Agent) -> str:
    return reverse(f"admin:{name}", args=[agent.pk])


def _elsewhere() -> str:
    """Say what a terminal does not know. The address itself may hold a password."""
    if "DATABASE_URL" not in os.environ:
        return ""
    return " The terminal needs the same DATABASE_URL as this console."


def _asked() -> str:
    names = FlowStage.objects.filter(groups__name__isnull=False).values_list(
        "groups__name", flat=True
    )
    listed = ", ".join(sorted(set(names)))
    if not listed:
        return "Policies name flows, and flows name groups. Their members decide."
    return f"Flows ask: {listed}. Whoever is to decide needs one of these groups."


def _curl() -> str:
    name = _action()
    body: dict[str, Any] = {"action": name, "params": SAMPLE if name == SAMPLED else {}}
    body["reason"] = "Cracked screen, inside the return window."
    return (
        f"curl -sS {settings.PUBLIC_URL}/api/v1/actions \\\n"
        "  -H 'Authorization: Bearer YOUR_KEY' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{json.dumps(body)}'"
    )


def _action() -> str:
    """Return an action that policies cover, the one of the example if none does."""
    for patterns in Policy.objects.order_by("pk").values_list("actions", flat=True):
        for pattern in patterns:
            if not pattern.endswith("*"):
                return str(pattern)
    return SAMPLED
