"""An agent proposes: the action is judged, recorded, and put before people if it must.

Everything happens in one transaction: a submission that was answered is on record with
its evaluation, and one that was not has left nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction

from approvals import judgement, stops
from approvals.course import Course
from approvals.services import asking, glass, replay, storage
from governance import canonical
from governance.ledger import Actor, Kind
from governance.models import Action, Agent, Status
from policies import lookbacks, monitoring


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an agent sends: what would run, and the words around it."""

    action: str
    params: dict[str, Any]
    resource: dict[str, str] | None = None
    reason: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    expires_in: int | None = None

    @property
    def digest(self) -> str:
        return canonical.digest(self.action, self.params, self.resource)


def submit(
    agent: Agent, proposal: Proposal, *, idempotency_key: str | None = None
) -> tuple[Course, bool]:
    """Judge and record a proposal. Return its course, and whether it was a replay."""
    try:
        return _submit(agent, proposal, idempotency_key)
    except stops.Frozen as refusal:
        stops.record_refusal(agent, proposal.action, refusal)
        raise


@transaction.atomic
def _submit(
    agent: Agent, proposal: Proposal, idempotency_key: str | None
) -> tuple[Course, bool]:
    once = replay.Once(agent, "submit", idempotency_key, asdict(proposal))
    if first := once.done():
        return storage.read(first.pk), True

    judged = judgement.judge(agent, proposal)
    course = _create(agent, proposal, judged)
    glass.let_through(course)
    once.remember(course.action)
    return course, False


def _create(agent: Agent, proposal: Proposal, judged: judgement.Judged) -> Course:
    action = _action(agent, proposal, judged)
    course = Course(action)
    course.happen(
        Kind.SUBMITTED,
        judged.at,
        Actor.agent(agent),
        **asking.evidence(action, judged),
    )
    if action.status == Status.PENDING:
        asking.check_cap(agent, judged.at)
    asking.proceed(course, judged)
    action.save(force_insert=True)
    if course.request:
        storage.insert_request(course)
    lookbacks.record_entries(action, judged.counted)
    monitoring.record(action, judged.verdict, judged.at)
    storage.record(course, judged.at)
    return course


def _action(agent: Agent, proposal: Proposal, judged: judgement.Judged) -> Action:
    patience = proposal.expires_in
    action = Action(
        agent=agent,
        name=proposal.action,
        params=proposal.params,
        resource=proposal.resource,
        reason=proposal.reason,
        context=proposal.context,
        digest=proposal.digest,
        expires_at=judged.at + timedelta(seconds=patience) if patience else None,
        created_at=judged.at,
    )
    asking.obey(action, judged)
    return action
