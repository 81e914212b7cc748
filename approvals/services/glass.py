"""Breaking the glass: one person answers for what goes ahead without approval.

It waives approvals and nothing else. What a policy blocks stays blocked, what is frozen
stays frozen, a suspended agent stays suspended. Everything that goes through is on
record, and what is then used must be reviewed by somebody else
(``approvals.services.bypasses``).
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from approvals import judgement, stops
from approvals.course import BREAK_GLASS, Course
from approvals.errors import BlockedNow, NotAllowed, NotOpen
from approvals.models import ApprovalRequest, BreakGlass, Vote
from approvals.services import storage
from approvals.services.deadlines import settle
from approvals.services.review import check_open
from governance import clock, freezes, keys, ledger, locks, people
from governance.errors import Invalid, Refused
from governance.ledger import SYSTEM, Actor, Kind
from governance.models import Agent, Status, User
from governance.services import by
from policies import patterns

ATTEMPTS = 5
LEAST_REASON = 20


class MayNotBreakGlass(Refused):
    code = "may_not_break_glass"
    status = 403


class GlassIsWhole(Refused):
    code = "glass_is_whole"


@transaction.atomic
def break_glass(
    person: User,
    *,
    pattern: str,
    reason: str,
    for_: timedelta,
    agent: Agent | None = None,
) -> BreakGlass:
    """Let what the pattern covers go ahead without approval, for a short time.

    ``pattern`` is an action's name, a prefix like ``refund.*``, or ``*``; ``agent``
    narrows it to one. It takes the permission by name: a superuser has it no more than
    anybody else. It never covers agents that the person owns. Everybody concerned hears
    of it at once.
    """
    if not patterns.is_pattern(pattern):
        raise Invalid(
            "Name an action, a prefix like refund.*, or * for everything.",
            code="pattern",
        )
    reason = freezes.checked_reason(reason, least=LEAST_REASON)
    _check_length(for_)
    people.lock(person)
    _check_right(person)
    if agent and Agent.objects.filter(pk=agent.pk, owner=person).exists():
        raise MayNotBreakGlass("You own this agent: somebody else has to answer.")
    at = clock.now()
    glass = BreakGlass.objects.create(
        person=person,
        reason=reason,
        agent=agent,
        pattern=pattern,
        started_at=at,
        ends_at=at + for_,
    )
    _record(Kind.GLASS_BROKEN, glass, person)
    return glass


def _check_length(for_: timedelta) -> None:
    most = settings.BREAK_GLASS_MAX
    if not timedelta(0) < for_ <= most:
        minutes = int(most.total_seconds() // 60)
        raise Invalid(f"Choose a time of up to {minutes} minutes.", code="glass_time")


def _check_right(person: User) -> None:
    if not stops.may_break_glass(person):
        raise MayNotBreakGlass(
            "You may not break the glass: it takes the permission by name, "
            "given to you or to a group of yours."
        )


@transaction.atomic
def mend_glass(glass: BreakGlass, person: User | None = None) -> None:
    """End it before its time. When this returns, nothing more goes through by it.

    Whoever broke it may, whoever could have, and whoever may freeze. Without a person it
    is the operator at the terminal.
    """
    locks.exclusive(locks.RULES)
    if person and not may_mend(glass, person):
        raise MayNotBreakGlass("Somebody else broke this glass.")
    at = clock.now()
    rows = BreakGlass.objects.active(at).filter(pk=glass.pk)
    if not rows.update(ended_by=person, ended_at=at):
        raise GlassIsWhole("This is over already.")
    _record(Kind.GLASS_MENDED, glass, person)


def may_mend(glass: BreakGlass, person: User) -> bool:
    return (
        person.pk == glass.person_id
        or stops.may_break_glass(person)
        or person.has_perm(freezes.FREEZE)
    )


def _record(kind: Kind, glass: BreakGlass, person: User | None) -> None:
    ledger.record(
        kind,
        at=clock.now(),
        actor=by(person),
        agent=glass.agent,
        stream=f"break-glass:{glass.pk}",
        pattern=glass.pattern,
        only_agent=glass.agent.name if glass.agent else None,
        broken_by=glass.person.get_username(),
        reason=glass.reason,
        ends_at=glass.ends_at.isoformat(),
    )


def let_through(course: Course) -> None:
    """Settle what was just put before people, if the glass is broken for it.

    Call it in the transaction of the submission, which holds the lock of the rules: a
    glass that was mended, or has run out, lets nothing through.
    """
    action = course.action
    if action.status != Status.PENDING:
        return
    at = clock.now()
    if glass := stops.open_glass(action.agent, action.name, at):
        course.bypass(glass, at, SYSTEM)
        storage.save(course, at=at, before=Status.PENDING)


def release(request: ApprovalRequest, person: User, *, digest: str) -> Course:
    """Let one waiting request through, by the glass this person broke.

    ``request`` and ``digest`` are what they were shown. Every refusal is put on record
    and raised.
    """
    settle(request.action_id)
    try:
        for _ in range(ATTEMPTS):
            try:
                return _release(request, person, digest)
            except storage.Overtaken:
                settle(request.action_id)
        raise NotOpen("This request is changing too quickly. Look at it again.")
    except Refused as refusal:
        _record_refusal(request, person, refusal)
        raise


@transaction.atomic
def _release(request: ApprovalRequest, person: User, digest: str) -> Course:
    locks.shared(locks.RULES)
    people.lock(person)
    course = storage.lock(request.action_id)
    action = course.action
    at = clock.now()
    course.lapse(at)
    if course.happenings:
        raise storage.Overtaken
    check_open(course, request, digest)
    _check_not_stopped(course)
    glass = stops.open_glass(action.agent, action.name, at, person)
    if glass is None:
        raise NotAllowed("You have no broken glass that covers this request.")
    course.bypass(glass, at, Actor.person(person))
    storage.save(course, at=at, before=Status.PENDING, in_time=True)
    return course


def _check_not_stopped(course: Course) -> None:
    action = course.action
    if action.agent.suspended:
        raise keys.Suspended.agent(action.agent)
    stops.check(action.name)
    if blocked := judgement.blocked_now(action):
        raise BlockedNow(f"The policy {blocked} blocks this by now.")


def _record_refusal(request: ApprovalRequest, person: User, refusal: Refused) -> None:
    with transaction.atomic():
        ledger.record(
            Kind.DECISION_REFUSED,
            at=clock.now(),
            actor=Actor.person(person),
            action=request.action,
            request=str(request.pk),
            verdict=str(Vote.Verdict.APPROVE),
            code=refusal.code,
            why=str(refusal),
            via=BREAK_GLASS,
        )
