"""How is a course read, locked and saved? Used by the services next door only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from approvals import routing, waiting
from approvals.course import Course
from approvals.models import ApprovalRequest, Vote
from governance import ledger
from governance.clock import WallClock
from governance.models import Action, ActionQuerySet, Status

WRITTEN = (
    "status",
    "deadline_at",
    "due_at",
    "settled_at",
    "grant_expires_at",
    "consumed_at",
    "outcome_detail",
)
REQUEST = ("closed_at", "outcome", "conditions", "broken_glass")
# What a revision brings as well.
REVISED = (
    "params",
    "resource",
    "reason",
    "context",
    "revision",
    "digest",
    "summary",
    "reversible",
    "decision",
    "reasons",
    "risk",
    "grant",
    "expires_at",
    "judged_at",
)
# What may change of a stage; the rest are its terms.
UNDER_WAY = (
    "groups",
    "state",
    "opened_at",
    "silence",
    "silent_steps",
    "deadline_at",
    "remind_at",
    "sla_at",
    "lapsed",
    "closed_at",
)


class Overtaken(Exception):
    """The row is no longer what this change was about: read again and think again."""


def courses(actions: QuerySet[Action]) -> list[Course]:
    """Read what these actions' people are asked and have said, in four queries."""
    votes = Prefetch("votes", Vote.objects.order_by("id"))
    requests = ApprovalRequest.objects.prefetch_related("stages", votes)
    found = actions.select_related("agent").prefetch_related(
        Prefetch("requests", requests, to_attr="revisions")
    )
    return [_course(action) for action in found]


def _course(action: Action) -> Course:
    revisions: list[ApprovalRequest] = action.revisions  # type: ignore[attr-defined]
    for request in revisions:
        if request.revision == action.revision:
            stages, votes = list(request.stages.all()), list(request.votes.all())
            return Course(action, request, stages, votes)
    return Course(action)


def read(pk: UUID) -> Course:
    """Return the course as it is stored. For one that silence may have moved on, call
    ``lapse`` on it."""
    return courses(Action.objects.filter(pk=pk))[0]


def lock(pk: UUID) -> Course:
    """Return the course with its action's row locked until the transaction ends."""
    rows = Action.objects.select_for_update(no_key=True, of=("self",))
    return courses(rows.filter(pk=pk))[0]


def save(course: Course, *, at: datetime, before: str, in_time: bool = False) -> None:
    """Write what the rules changed, or raise ``Overtaken`` and write nothing.

    One conditional statement moves the action on. ``in_time`` makes it refuse when the
    deadline, or the end of the grant, has passed by the database's wall clock.
    """
    action = course.action
    rows = Action.objects.filter(
        pk=action.pk, status=before, revision=action.revision, digest=action.digest
    )
    _move(_in_time(rows, before) if in_time else rows, action, WRITTEN, at)
    _save_request(course)
    record(course, at)
    waiting.announce(action.pk)


def save_revision(course: Course, former: Action, *, at: datetime) -> None:
    """Write the next revision, with what people are asked about it, or raise
    ``Overtaken`` when the action is no longer as ``former`` has it."""
    action = course.action
    rows = Action.objects.filter(
        pk=action.pk, status=former.status, revision=former.revision
    )
    if former.status == Status.PENDING:
        rows = _in_time(rows, former.status)
    _move(rows, action, (*WRITTEN, *REVISED), at)
    if course.request:
        insert_request(course)
    record(course, at)
    waiting.announce(action.pk)


def _in_time(rows: ActionQuerySet, before: str) -> ActionQuerySet:
    end = "deadline_at" if before == Status.PENDING else "grant_expires_at"
    return rows.filter(Q(**{end: None}) | Q(**{f"{end}__gt": WallClock()}))


def _move(
    rows: ActionQuerySet, action: Action, names: Sequence[str], at: datetime
) -> None:
    action.updated_at = at
    values = {name: getattr(action, name) for name in (*names, "updated_at")}
    if not rows.update(**values):
        raise Overtaken


def close(course: Course, *, at: datetime) -> None:
    """Write that a request is over, before the next revision takes its place."""
    _save_request(course)
    record(course, at)


def _save_request(course: Course) -> None:
    request = course.request
    if request is None:
        return
    request.save(update_fields=REQUEST)
    for stage in course.stages:
        stage.save(update_fields=UNDER_WAY)
    Vote.objects.bulk_create(vote for vote in course.votes if vote.pk is None)
    routing.route(request, course.stages)


def record(course: Course, at: datetime) -> None:
    """Put on record what happened, in its order, and forget it."""
    for happening in course.happenings:
        ledger.record(
            happening.kind,
            at=at,
            actor=happening.actor,
            action=course.action,
            effective_at=happening.at.isoformat(),
            request=str(course.request.pk) if course.request else None,
            **happening.data,
        )
    course.happenings.clear()


def insert_request(course: Course) -> None:
    """Save a request that has just been opened, with its stages and grants."""
    request = course.request
    assert request is not None
    request.save(force_insert=True)
    for stage in course.stages:
        stage.save(force_insert=True)
    routing.route(request, course.stages)
