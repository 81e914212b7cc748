"""What an agent does with its permission: give it back, spend it, say what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import conditions, judgement, stops
from approvals.course import Course
from approvals.errors import (
    AlreadyConsumed,
    BadDigest,
    BlockedNow,
    ConditionNotMet,
    DigestMismatch,
    GrantExpired,
    NotApproved,
    NotCancellable,
    NotConsumed,
    OutcomeConflict,
)
from approvals.services import bypasses, replay, storage
from approvals.services.deadlines import settle
from governance import canonical, clock, keys, ledger, locks
from governance.errors import Problem, Refused
from governance.ledger import Actor, Kind
from governance.models import GRANTED, WITHDRAWABLE, Agent, AgentKey, Status

ATTEMPTS = 5
OUTCOMES = (Status.SUCCEEDED, Status.FAILED, Status.UNKNOWN)


def cancel(pk: UUID, agent: Agent) -> Course:
    """Withdraw the action. Twice is the same as once."""
    settle(pk)
    with transaction.atomic():
        course = storage.lock(pk)
        before = course.action.status
        at = clock.now()
        course.lapse(at)
        if course.action.status == Status.CANCELLED:
            return course
        if course.action.status not in WITHDRAWABLE:
            raise NotCancellable(
                f"The action is {course.action.status}: there is nothing to withdraw."
            )
        course.cancel(at, Actor.agent(agent))
        storage.save(course, at=at, before=before)
    return course


def consume(
    pk: UUID,
    agent: Agent,
    digest: object,
    *,
    idempotency_key: str | None = None,
    key: AgentKey | None = None,
) -> Course:
    """Spend the permission, once. Return the course, now executing.

    ``key`` is what the agent proved itself with: it must be good until the commit.
    ``digest`` is recomputed by the caller from what it is about to run; one that
    differs is refused and burns nothing. A freeze, or a BLOCK policy that applies by
    now, refuses whatever was decided before. So does a condition of an approval that does not hold
    at this moment.
    """
    settle(pk)
    try:
        for _ in range(ATTEMPTS):
            try:
                return _consume(pk, agent, digest, idempotency_key, key)
            except storage.Overtaken:
                settle(pk)
        raise NotApproved("The action is changing too quickly. Try again.")
    except Refused as refusal:
        _record_refusal(pk, agent, refusal)
        raise


@transaction.atomic
def _consume(
    pk: UUID,
    agent: Agent,
    digest: object,
    idempotency_key: str | None,
    key: AgentKey | None,
) -> Course:
    if key:
        keys.hold(key)
    once = replay.Once(agent, f"consume:{pk}", idempotency_key, digest)
    if once.done():
        return storage.read(pk)
    locks.shared("rules")
    course = storage.lock(pk)
    action = course.action
    if not isinstance(digest, str) or not canonical.is_digest(digest):
        words = 'Send the digest of what you are to run: "sha256:" and 64 hex digits.'
        raise BadDigest(words, errors=[Problem("/digest", BadDigest.code, words)])
    _check_granted(course)
    if digest != action.digest:
        raise DigestMismatch(
            "What you are about to run is not what was allowed. Nothing was spent."
        )
    stops.check(action.name)
    blocked = judgement.blocked_now(action)
    if blocked:
        raise BlockedNow(f"The policy {blocked} blocks this by now.")

    at = clock.now()
    _check_conditions(course, at)
    before, action.status, action.consumed_at = action.status, Status.EXECUTING, at
    course.happen(Kind.CONSUMED, at, Actor.agent(agent), digest=digest)
    storage.save(course, at=at, before=before, in_time=True)
    bypasses.open_review(course, at)
    once.remember(action)
    return course


def _check_granted(course: Course) -> None:
    action = course.action
    if action.consumed_at:
        at = f"{action.consumed_at:%Y-%m-%dT%H:%M:%SZ}"
        raise AlreadyConsumed(f"This permission was spent at {at}.")
    if action.status == Status.EXPIRED and action.grant_expires_at:
        raise GrantExpired("The permission was not used in time. Submit again.")
    if action.status not in GRANTED:
        raise NotApproved(f"The action is {action.status}, not allowed or approved.")


def _check_conditions(course: Course, at: datetime) -> None:
    """Ask what approvers made a condition, at the moment the permission is spent."""
    unmet = conditions.unmet(course.action, course.checks(), at)
    if unmet:
        code = ConditionNotMet.code
        problems = [Problem("", code, str(each)) for each in unmet]
        raise ConditionNotMet(f"{unmet[0]} Nothing was spent.", errors=problems)


def _record_refusal(pk: UUID, agent: Agent, refusal: Refused) -> None:
    with transaction.atomic():
        ledger.record(
            Kind.CONSUME_REFUSED,
            at=clock.now(),
            actor=Actor.agent(agent),
            action=storage.read(pk).action,
            code=refusal.code,
            why=str(refusal),
        )


@transaction.atomic
def report(
    pk: UUID, agent: Agent, outcome: Status, detail: dict[str, Any] | None = None
) -> Course:
    """Record what came of it. The same report again is the same as once."""
    course = storage.lock(pk)
    action = course.action
    before = action.status
    if before == outcome and detail in (None, action.outcome_detail):
        return course
    if before in (Status.SUCCEEDED, Status.FAILED) or before == outcome:
        raise OutcomeConflict(f"The outcome was reported as {before} before.")
    if before not in (Status.EXECUTING, Status.UNKNOWN):
        raise NotConsumed(f"The action is {before}: consume the permission first.")

    at = clock.now()
    action.status, action.outcome_detail = outcome, detail
    course.happen(
        Kind.OUTCOME_REPORTED, at, Actor.agent(agent), status=outcome, detail=detail
    )
    storage.save(course, at=at, before=before)
    return course
