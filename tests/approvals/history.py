"""A past for the dashboard: random requests and what people made of them.

Written straight into the tables, as the services would leave them, so that there can be
many and at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from django.contrib.auth.models import Group

from approvals.models import ApprovalRequest, BreakGlass, Stage, Vote
from governance.models import Action, Agent, User, first_uuid7
from tests.cast import make_user

Outcome, Verdict = ApprovalRequest.Outcome, Vote.Verdict
TEAMS = ("Manager", "Finance <b>&amp;", "Ärzte 医")
POLICIES = ("refunds-50-to-200", "large <script>", "")
CAME_OF = {
    Outcome.APPROVED: "approved",
    Outcome.REJECTED: "rejected",
    Outcome.CHANGES_REQUESTED: "changes_requested",
    Outcome.EXPIRED: "expired",
    Outcome.CANCELLED: "cancelled",
    Outcome.SUPERSEDED: "pending",
}
SAID = {
    Outcome.APPROVED: Verdict.APPROVE,
    Outcome.REJECTED: Verdict.REJECT,
    Outcome.CHANGES_REQUESTED: Verdict.REQUEST_CHANGES,
}


@dataclass(slots=True)
class Cast:
    people: Sequence[User]
    agents: Sequence[Agent]
    groups: Sequence[Group]
    glass: BreakGlass


def make_cast(at: datetime) -> Cast:
    groups = [Group.objects.create(name=f"group {n}") for n in range(3)]
    people = [make_user(f"person-{n}", groups[n % 3]) for n in range(5)]
    agents = [Agent.objects.create(name=f"agent-{n}") for n in range(3)]
    glass = BreakGlass.objects.create(
        person=people[0],
        reason="The pager rang.",
        pattern="*",
        started_at=at - timedelta(days=1),
        ends_at=at,
    )
    return Cast(people, agents, groups, glass)


def make_history(
    chance: Random, count: int, at: datetime, days: int = 100, cast: Cast | None = None
) -> Cast:
    """Put so many actions on record, over the days before ``at``."""
    cast = cast or make_cast(at)
    there = Action.objects.count()
    for number in range(there, there + count):
        asked = at - timedelta(days=days) * chance.random()
        _make_action(chance, cast, asked, number, at)
    return cast


def _make_action(
    chance: Random, cast: Cast, asked: datetime, number: int, at: datetime
) -> None:
    decision = chance.choice(["ALLOW", "BLOCK", *["REQUIRE_APPROVAL"] * 4])
    status = {"ALLOW": "allowed", "BLOCK": "blocked"}.get(decision, "pending")
    policy = chance.choice(POLICIES)
    action = Action(
        id=UUID(int=first_uuid7(asked).int + number),
        agent=chance.choice(cast.agents),
        name="refund.create",
        digest="sha256:" + "0" * 64,
        decision=decision,
        status=status,
        reasons=[{"policy": policy, "reason": ""}] if policy else [],
        risk=chance.randrange(101),
        created_at=asked,
        judged_at=asked,
        updated_at=asked,
        settled_at=None if status == "pending" else asked,
        grant_expires_at=asked if status == "allowed" else None,
    )
    action.save(force_insert=True)
    if decision == "REQUIRE_APPROVAL":
        _make_request(chance, cast, action, number, at)


def _make_request(
    chance: Random, cast: Cast, action: Action, number: int, at: datetime
) -> None:
    asked = action.created_at
    took = timedelta(seconds=chance.expovariate(1 / 7200))
    outcome = chance.choice([*Outcome.values, *["approved"] * 4, ""])
    closed = asked + took if outcome and asked + took <= at else None
    by_glass = closed and outcome == "approved" and chance.random() < 0.1
    request = ApprovalRequest.objects.create(
        id=action.pk,
        action=action,
        digest=action.digest,
        summary=f"Refund {number} <i>",
        risk=action.risk,
        opened_at=asked,
        closed_at=closed,
        outcome=outcome if closed else "",
        broken_glass=cast.glass if by_glass else None,
    )
    request.asked.set(chance.sample(list(cast.groups), chance.choice([1, 2])))
    if closed and outcome != "superseded":
        Action.objects.filter(pk=action.pk).update(
            status=CAME_OF[Outcome(outcome)],
            settled_at=None if outcome == "changes_requested" else closed,
            grant_expires_at=closed if outcome == "approved" else None,
        )
    _make_stages(chance, cast, request)


def _make_stages(chance: Random, cast: Cast, request: ApprovalRequest) -> None:
    people = chance.sample(list(cast.people), 3)
    for position in range(chance.choice([1, 1, 2])):
        state = _state(chance, request)
        timed = chance.random() < 0.7
        kept = timed and state != "waiting" and chance.random() < 0.8
        stage = Stage.objects.create(
            request=request,
            position=position,
            step=position,
            name=chance.choice(TEAMS),
            needed=1,
            sla=timedelta(minutes=30) if timed else None,
            sla_at=request.opened_at + timedelta(minutes=30) if kept else None,
            state=state,
            opened_at=None if state == "waiting" else request.opened_at,
            closed_at=request.closed_at if state in ("approved", "closed") else None,
        )
        if request.closed_at and state == "approved":
            _make_vote(chance, stage, people.pop(), Verdict.APPROVE)
        elif request.closed_at and request.outcome in ("rejected", "changes_requested"):
            _make_vote(chance, stage, people.pop(), SAID[Outcome(request.outcome)])


def _state(chance: Random, request: ApprovalRequest) -> str:
    if request.closed_at is None:
        return chance.choice(["open", "open", "waiting"])
    return "approved" if request.outcome == "approved" else "closed"


def _make_vote(
    chance: Random, stage: Stage, person: User, verdict: Vote.Verdict
) -> None:
    request = stage.request
    silent = request.broken_glass_id or chance.random() < 0.15
    via = "glass" if request.broken_glass_id else "system"
    at = stage.closed_at if chance.random() < 0.9 else stage.opened_at
    assert at
    looked = timedelta(seconds=chance.choice([0.5, 2.9, 3, 3.1, 40, 600, 9000]))
    shown = None if silent or chance.random() < 0.2 else at - looked
    who = None if silent else person
    Vote.objects.create(
        request=request,
        stage=stage,
        person=who,
        seat=who,
        by=str(person),
        verdict=verdict if chance.random() < 0.9 else Verdict.REJECT,
        via=via if silent else chance.choice(["console", "console", "cli"]),
        shown_at=shown,
        at=at,
    )
