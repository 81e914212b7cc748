"""What follows from a verdict? It is allowed, or blocked, or put before people.

The same for what is submitted, revised or judged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group

from approvals import judgement, routing
from approvals.course import Course
from approvals.errors import TooManyPending
from approvals.judgement import Judged
from approvals.models import ApprovalRequest, Stage
from governance import locks
from governance.ledger import Kind
from governance.models import Action, Agent, Status
from policies import calendars
from policies.engine import Verdict
from policies.rules import Calendar, Decision
from policies.rules import Stage as Terms
from policies.staffing import staffed

# More than ever submit at the same time.
NEAR_THE_CAP = 200
STATUS = {
    Decision.ALLOW: Status.ALLOWED,
    Decision.BLOCK: Status.BLOCKED,
    Decision.REQUIRE_APPROVAL: Status.PENDING,
}


def obey(action: Action, judged: Judged) -> None:
    """Let the action be what the policies said, from that moment on."""
    verdict, at = judged.verdict, judged.at
    status = STATUS[verdict.decision]
    action.summary = judged.summary
    action.reversible = verdict.reversible
    action.decision = verdict.decision
    action.reasons = [reason.as_data() for reason in verdict.reasons]
    action.risk = verdict.risk
    action.status = status
    action.grant = verdict.grant
    action.judged_at = action.updated_at = at
    action.settled_at = None if status == Status.PENDING else at
    action.grant_expires_at = at + verdict.grant if status == Status.ALLOWED else None
    action.deadline_at = action.due_at = None


def evidence(action: Action, judged: Judged) -> dict[str, Any]:
    """Return what goes on record of a revision: what it was, and how it was judged."""
    return {
        "params": action.params,
        "resource": action.resource,
        "reason": action.reason,
        "context": action.context,
        "decision": action.decision,
        "risk": action.risk,
        "reasons": action.reasons,
        "rules": judged.revision,
        "trace": judged.verdict.trace,
    }


def proceed(course: Course, judged: Judged) -> None:
    """Note what the policies decided, or put this revision before people."""
    match course.action.status:
        case Status.PENDING:
            _ask(course, judged.verdict, judged.at)
        case Status.ALLOWED:
            course.happen(Kind.ALLOWED, judged.at, judgement.POLICIES)
        case _:
            course.happen(Kind.BLOCKED, judged.at, judgement.POLICIES)


def check_cap(agent: Agent, at: datetime) -> None:
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
    needed = [stage.needed for stage in course.stages]
    found = staffed(list(zip(needed, able, strict=True)))
    for stage, people in zip(course.stages, found, strict=True):
        if people < stage.needed:
            course.happen(
                Kind.UNREACHABLE,
                at,
                judgement.POLICIES,
                stage=stage.name,
                needed=stage.needed,
                able=people,
            )
