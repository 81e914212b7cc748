"""What does an agent see of its action? The same object in every answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from approvals.console import words
from approvals.course import Course
from approvals.models import Stage, Vote

REQUEST_CHANGES = Vote.Verdict.REQUEST_CHANGES


def action_data(course: Course) -> dict[str, Any]:
    """Return the action as the API shows it (``serializers.ActionSerializer``)."""
    action = course.action
    return {
        "id": str(action.pk),
        "action": action.name,
        "params": action.params,
        "resource": action.resource,
        "reason": action.reason,
        "context": action.context,
        "revision": action.revision,
        "digest": action.digest,
        "decision": action.decision,
        "status": action.status,
        "risk": action.risk,
        "reasons": action.reasons,
        "approval": _approval(course),
        "created_at": moment(action.created_at),
        "updated_at": moment(action.updated_at),
        "settled_at": moment(action.settled_at),
        "grant_expires_at": moment(action.grant_expires_at),
        "consumed_at": moment(action.consumed_at),
        "outcome_detail": action.outcome_detail,
    }


def _approval(course: Course) -> dict[str, Any] | None:
    if course.request is None:
        return None
    comments = [vote.comment for vote in course.votes if vote.comment]
    return {
        "deadline_at": moment(course.action.deadline_at),
        "progress": words.progress(course),
        "stages": [_stage(course, stage) for stage in course.stages],
        "decisions": [_decision(vote) for vote in course.votes],
        "conditions": course.conditions(),
        "checks": course.checks(),
        "comment": comments[-1] if comments else None,
        "proposed_params": _proposed(course),
    }


def _proposed(course: Course) -> dict[str, Any] | None:
    """Return the parameters that whoever asked for changes would agree to, if named."""
    asking = (v for v in reversed(course.votes) if v.verdict == REQUEST_CHANGES)
    last = next(asking, None)
    return last.proposed_params if last else None


def _stage(course: Course, stage: Stage) -> dict[str, Any]:
    return {
        "name": stage.name,
        "groups": [group["name"] for group in stage.groups],
        "needed": stage.needed,
        "approved": len(course.approvers(stage)),
        "status": stage.state,
        **_rejections(course, stage),
    }


def _rejections(course: Course, stage: Stage) -> dict[str, int]:
    """Say how many reject it, and must, where one does not stop it."""
    if stage.rejections == 1:
        return {}
    rejected = len(course.rejections(stage))
    return {"rejections": stage.rejections, "rejected": rejected}


def _decision(vote: Vote) -> dict[str, Any]:
    return {
        "by": vote.by,
        "verdict": vote.verdict,
        "comment": vote.comment,
        "conditions": vote.sentences(),
        "checks": vote.checks,
        "proposed_params": vote.proposed_params,
        "at": moment(vote.at),
        "via": vote.via,
    }


def moment(at: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC, ending in Z."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
