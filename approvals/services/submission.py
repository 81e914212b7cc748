"""An agent proposes: the action is judged, recorded, and put before people if it must.

Everything happens in one transaction: a submission that was answered is on record with
its evaluation, and one that was not has left nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction

from approvals import judgement, routing
from approvals.course import Course
from approvals.errors import TooManyPending
from approvals.models import ApprovalRequest, Stage
from approvals.services import replay, storage
from governance import canonical, locks
from governance.ledger import Actor, Kind
from governance.models import Action, Agent, Status
from policies import calendars, lookbacks
from policies.engine import Verdict
from policies.rules import Calendar
from policies.rules import Stage as Terms

# More than ever submit at the same time.
NEAR_THE_CAP = 200
STATUS = {
    "ALLOW": Status.ALLOWED,
    "BLOCK": Status.BLOCKED,
    "REQUIRE_APPROVAL": Status.PENDING,
}


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


@transaction.atomic
def submit(
    agent: Agent, proposal: Proposal, *, idempotency_key: str | None = None
) -> tuple[Course, bool]:
    """Judge and record a proposal. Return its course, and whether it was a replay."""
    once = replay.Once(agent, "submit", idempotency_key, asdict(proposal))
    if first := once.done():
        return storage.read(first.pk), True

    judged = judgement.judge(agent, proposal)
    course = _create(agent, proposal, judged)
    once.remember(course.action)
    return course, False


def _create(agent: Agent, proposal: Proposal, judged: judgement.Judged) -> Course:
    verdict, at = judged.verdict, judged.at
    action = _action(agent, proposal, verdict, judged.summary, at)
    course = Course(action)
    course.happen(
        Kind.SUBMITTED,
        at,
        Actor.agent(agent),
        params=action.params,
        resource=action.resource,
        reason=action.reason,
        context=action.context,
        decision=action.decision,
        risk=action.risk,
        reasons=action.reasons,
        rules=judged.revision,
        trace=verdict.trace,
    )
    if action.status == Status.PENDING:
        _check_cap(agent, at)
        _ask(course, verdict, at)
    else:
        kind = Kind.ALLOWED if action.status == Status.ALLOWED else Kind.BLOCKED
        course.happen(kind, at, judgement.POLICIES)
    action.save(force_insert=True)
    if course.request:
        storage.insert_request(course)
    lookbacks.record_entries(action, judged.counted)
    storage.record(course, at)
    return course


def _action(
    agent: Agent, proposal: Proposal, verdict: Verdict, summary: str, at: datetime
) -> Action:
    status = STATUS[verdict.decision]
    patience = proposal.expires_in
    return Action(
        agent=agent,
        name=proposal.action,
        params=proposal.params,
        resource=proposal.resource,
        reason=proposal.reason,
        context=proposal.context,
        digest=proposal.digest,
        summary=summary,
        reversible=verdict.reversible,
        decision=verdict.decision,
        reasons=[reason.as_data() for reason in verdict.reasons],
        risk=verdict.risk,
        status=status,
        grant=verdict.grant,
        expires_at=at + timedelta(seconds=patience) if patience else None,
        created_at=at,
        updated_at=at,
        settled_at=None if status == Status.PENDING else at,
        grant_expires_at=at + verdict.grant if status == Status.ALLOWED else None,
    )


def _check_cap(agent: Agent, at: datetime) -> None:
    """Refuse one more than people can be asked. Near the cap, one at a time."""
    cap = settings.MAX_PENDING_PER_AGENT
    rows = Action.objects.of(agent).waiting_at(at)
    waiting = rows.count()
    if waiting >= cap - NEAR_THE_CAP:
        locks.keyed([f"pending:{agent.pk}"])
        waiting = rows.count()
    if waiting >= cap:
        raise TooManyPending(
            f"{waiting} actions of this agent wait for people already. "
            "Wait for some of them, or cancel what is no longer needed.",
            retry_after=60,
        )


def _ask(course: Course, verdict: Verdict, at: datetime) -> None:
    """Put this revision before people, on the terms that the flows have today."""
    action = course.action
    course.request = ApprovalRequest(
        action=action,
        revision=action.revision,
        digest=action.digest,
        params=action.params,
        resource=action.resource,
        reason=action.reason,
        context=action.context,
        summary=action.summary,
        risk=action.risk,
        evaluated=verdict.evaluated,
        rules_revision=verdict.trace["revision"],
        opened_at=at,
    )
    groups = _groups(verdict.stages)
    course.stages = [
        _stage(course.request, position, terms, groups, verdict.calendars)
        for position, terms in enumerate(verdict.stages, start=1)
    ]
    course.start(at)
    _warn_if_unreachable(course, at)


def _groups(stages: tuple[Terms, ...]) -> dict[str, dict[str, Any]]:
    names = {
        name
        for stage in stages
        for named in (stage.groups, stage.reassign_to, *(s.to for s in stage.chain()))
        for name in named
    }
    rows = Group.objects.filter(name__in=names).values("id", "name")
    return {row["name"]: dict(row) for row in rows}


def _stage(
    request: ApprovalRequest,
    position: int,
    terms: Terms,
    groups: dict[str, dict[str, Any]],
    known: Mapping[str, Calendar],
) -> Stage:
    def existing(names: Iterable[str]) -> list[dict[str, Any]]:
        return [groups[name] for name in names if name in groups]

    calendar = known[terms.calendar] if terms.calendar else None
    return Stage(
        request=request,
        position=position,
        step=terms.step,
        name=terms.name,
        groups=existing(terms.groups),
        needed=terms.approvals,
        rejections=terms.rejections,
        sla=terms.sla,
        silence=[
            {
                "after": int(step.after.total_seconds()),
                "do": str(step.do),
                "groups": existing(step.to),
                "max_risk": step.max_risk,
            }
            for step in terms.chain()
        ],
        calendar=calendars.as_data(calendar) if calendar else None,
        reassign_to=existing(terms.reassign_to),
    )


def _warn_if_unreachable(course: Course, at: datetime) -> None:
    """Say at once when no person could satisfy a stage: silence would hide it."""
    able = routing.able(course.stages, course.action.agent.owner)
    for stage, people in zip(course.stages, able, strict=True):
        if len(people) < stage.needed:
            course.happen(
                Kind.UNREACHABLE,
                at,
                judgement.POLICIES,
                stage=stage.name,
                needed=stage.needed,
                able=len(people),
            )
