"""One person's verdict on one request: who may give it, and what it leads to.

The order matters and is the same for every channel: lock the people, lock the action,
let silence speak, check the right as it is now, then one conditional statement moves
the action on, judged by the database's wall clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import authority, conditions, proposed, remarks, routing
from approvals.bulk import Batch
from approvals.course import Course
from approvals.deciders import spoken
from approvals.errors import AlreadyVoted, Changed, NotOpen
from approvals.models import ApprovalRequest, Stage, Vote
from approvals.services import storage
from approvals.services.deadlines import settle
from governance import clock, ledger
from governance.errors import Invalid, Refused
from governance.ledger import Actor, Kind
from governance.models import Action, Status, User

ATTEMPTS = 5
MAX_COMMENT = remarks.MAX_COMMENT


def decide(
    request: ApprovalRequest,
    person: User,
    verdict: Vote.Verdict,
    *,
    digest: str,
    comment: str = "",
    conditions: Sequence[str] = (),
    checks: Sequence[Mapping[str, str]] = (),
    proposed_params: Mapping[str, Any] | None = None,
    via: str = "console",
    shown_at: datetime | None = None,
    batch: Batch | None = None,
) -> Course:
    """Add one person's verdict and let follow what follows. Return the new course.

    ``request`` and ``digest`` are what the person was shown: another revision by now,
    or other parameters, raise ``Changed``. The same verdict by the same person again
    changes nothing. Every refusal is put on record and raised.

    ``conditions`` are sentences, ``checks`` are what must hold when it runs
    (``{"text", "expression"}``); ``proposed_params`` go with a request for changes.
    ``shown_at`` is when the person was shown it, None if they never opened it.
    ``batch`` comes with a verdict on several at once: an approval that is not safe that
    way is refused.
    """
    said = _Said(
        verdict, comment, conditions, checks, proposed_params, via, shown_at, batch
    )
    settle(request.action_id)
    try:
        for _ in range(ATTEMPTS):
            try:
                return _decide(request, person, digest, said)
            except storage.Overtaken:
                # The deadline passed, or an earlier voter appeared, between two reads.
                settle(request.action_id)
        raise NotOpen("This request is changing too quickly. Look at it again.")
    except Refused as refusal:
        _record_refusal(request, person, verdict, refusal, via)
        raise


@dataclass(frozen=True, slots=True)
class _Said:
    """What a person said, as it came."""

    verdict: Vote.Verdict
    comment: str
    conditions: Sequence[str]
    checks: Sequence[Mapping[str, str]]
    proposed_params: Mapping[str, Any] | None
    via: str
    shown_at: datetime | None
    batch: Batch | None

    def sentences(self) -> list[str]:
        return [text.strip() for text in self.conditions if text.strip()]

    def stated(self) -> list[dict[str, str]]:
        return [conditions.stated(check) for check in self.checks]


@transaction.atomic
def _decide(request: ApprovalRequest, person: User, digest: str, said: _Said) -> Course:
    if said.batch:
        said.batch.hold()
    at = clock.now()
    seats = routing.seats(person, at)
    locked = _lock_people(request, seats)
    course = storage.lock(request.action_id)
    person = locked[person.pk]
    at = clock.now()
    course.lapse(at)
    if course.happenings or not spoken(course) <= locked.keys():
        raise storage.Overtaken
    if routing.seats(person, at) != seats:
        raise storage.Overtaken
    if _said_before(course, request, person, digest, said):
        return course

    check_open(course, request, digest)
    _check_words(said, course.action)
    stage, seat, rightful = _check_right(course, request, person, at)
    if said.batch:
        said.batch.check(course, said.verdict)
    vote = Vote(
        request=course.request,
        stage=stage,
        person=person,
        seat=locked[seat],
        by=by(person, locked[seat]),
        verdict=said.verdict,
        comment=said.comment.strip(),
        conditions=said.sentences(),
        checks=said.stated(),
        proposed_params=said.proposed_params,
        via=said.via,
        shown_at=said.shown_at,
        at=at,
    )
    course.vote(
        stage,
        vote,
        actor=Actor.person(person),
        rightful=rightful,
        in_bulk=said.batch is not None,
    )
    storage.save(course, at=at, before=Status.PENDING, in_time=True)
    _look_no_longer(request, person)
    return course


def _look_no_longer(request: ApprovalRequest, person: User) -> None:
    """Whoever has decided is done with looking at it."""
    claimed = ApprovalRequest.objects.filter(pk=request.pk, claimed_by=person)
    claimed.update(claimed_by=None, claimed_at=None)


def by(person: User, seat: User) -> str:
    """Name who decided, and for whom: ``bob for alice``."""
    if person == seat:
        return person.get_username()
    return f"{person.get_username()} for {seat.get_username()}"


def _lock_people(request: ApprovalRequest, seats: Sequence[int]) -> dict[int, User]:
    """Lock everybody whose right counts, always in the same order.

    Whoever changes a person's groups or switches them off writes the same row first:
    so no vote commits after the change that took the right away.
    """
    votes = Vote.objects.filter(request=request, person__isnull=False)
    voters = votes.values_list("person_id", "seat_id")
    everybody = {*seats, *(key for pair in voters for key in pair)}
    rows = User.objects.select_for_update(no_key=True).filter(pk__in=everybody)
    return {user.pk: user for user in rows.order_by("pk")}


def _said_before(
    course: Course, request: ApprovalRequest, person: User, digest: str, said: _Said
) -> bool:
    """Whether this is a double click: the same person, request and verdict.

    It is none when it would bind the agent to something else: what was said stands.
    """
    if course.request is None or course.request.pk != request.pk:
        return False
    if digest != course.action.digest:
        return False
    own = [vote for vote in course.votes if vote.person_id == person.pk]
    same = [vote for vote in own if vote.verdict == said.verdict]
    if any(_adds(said, vote) for vote in same):
        raise AlreadyVoted("You have decided already: nothing can be added to it.")
    return bool(same)


def _adds(said: _Said, vote: Vote) -> bool:
    """Whether this would ask for more, or for something else, than the vote does."""
    proposed = said.proposed_params
    return bool(
        set(said.sentences()) - set(vote.conditions)
        or [check for check in said.stated() if check not in vote.checks]
        or (proposed is not None and proposed != vote.proposed_params)
    )


def check_open(course: Course, request: ApprovalRequest, digest: str) -> None:
    """Refuse what is settled, or is not what they saw."""
    current = course.request is not None and course.request.pk == request.pk
    if current and digest != course.action.digest:
        raise Changed("What you saw is not what is waiting now. Look at it again.")
    if refusal := authority.settled(course, request):
        raise refusal


def _check_words(said: _Said, action: Action) -> None:
    if (said.conditions or said.checks) and said.verdict != Vote.Verdict.APPROVE:
        raise Invalid(
            "Only an approval can carry conditions.", code="conditions_not_possible"
        )
    proposes = said.proposed_params is not None
    if proposes and said.verdict != Vote.Verdict.REQUEST_CHANGES:
        raise Invalid(
            "Only a request for changes can propose parameters.",
            code="proposal_not_possible",
        )
    problems = remarks.problems(said.comment, said.conditions)
    problems += conditions.problems(said.checks)
    if said.proposed_params is not None:
        problems += proposed.problems(action, said.proposed_params)
    if problems:
        raise Invalid(problems[0].detail, code=problems[0].code, errors=problems)


def _check_right(
    course: Course, request: ApprovalRequest, person: User, at: datetime
) -> tuple[Stage, int, Mapping[int, Set[int]]]:
    """Return where the vote counts, whose right it uses, and who has rights by now."""
    found = authority.standing(course, request, person, at)
    if found.refusal:
        raise found.refusal
    assert found.stage is not None
    assert found.seat is not None
    return found.stage, found.seat, found.rightful


def _record_refusal(
    request: ApprovalRequest,
    person: User,
    verdict: Vote.Verdict,
    refusal: Refused,
    via: str,
) -> None:
    with transaction.atomic():
        ledger.record(
            Kind.DECISION_REFUSED,
            at=clock.now(),
            actor=Actor.person(person),
            action=request.action,
            request=str(request.pk),
            verdict=str(verdict),
            code=refusal.code,
            why=str(refusal),
            via=via,
        )


@transaction.atomic
def view(request: ApprovalRequest, person: User, *, via: str = "console") -> None:
    """Put on record that this person opened the request. Changes nothing else."""
    ledger.record(
        Kind.VIEWED,
        at=clock.now(),
        actor=Actor.person(person),
        action=request.action,
        request=str(request.pk),
        revision=request.revision,
        digest=request.digest,
        via=via,
    )


def find(pk: UUID) -> ApprovalRequest | None:
    """Return the request people are asked about now, by the action's id or its own."""
    rows = ApprovalRequest.objects.select_related("action__agent")
    own = rows.filter(pk=pk).first()
    return own or rows.filter(action=pk).order_by("-revision").first()
