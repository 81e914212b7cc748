"""Who looks at a request, who should instead, and who will later?

Nothing here decides, and nothing moves a deadline. All of it is for those alone who
could decide at that moment, and all of it is on record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction

from approvals import authority, routing
from approvals.authority import Standing
from approvals.course import Course
from approvals.deciders import rightful, spoken
from approvals.errors import NotAllowed, NotOpen
from approvals.models import ApprovalRequest, Snooze, Stage, Vote
from approvals.services import storage
from approvals.services.deadlines import settle
from governance import clock, words
from governance.errors import Invalid
from governance.ledger import Actor, Kind
from governance.models import Status, User
from policies.staffing import staffed

# How long a look lasts, unless it ends before.
CLAIM = timedelta(minutes=15)
MAX_REASON = 500
UNFINISHED = (Stage.State.OPEN, Stage.State.WAITING)


@dataclass(frozen=True, slots=True)
class _Held:
    """A request under its lock, and where the person stands with it."""

    course: Course
    request: ApprovalRequest
    person: User
    standing: Standing
    at: datetime

    def happen(self, kind: Kind, **data: Any) -> None:
        actor = Actor.person(self.person)
        if self.standing.for_whom:
            data["on_behalf_of"] = self.standing.for_whom
        self.course.happen(kind, self.at, actor, **data)


@contextmanager
def _held(
    request: ApprovalRequest, person: User, stage: Stage | None = None
) -> Iterator[_Held]:
    """Lock the request for one who could decide it now; save and record at the end.

    The people whose right it takes are locked first, as deciding does.
    """
    settle(request.action_id)
    with transaction.atomic():
        seats = routing.seats(person, clock.now())
        rows = User.objects.select_for_update(no_key=True).filter(pk__in=seats)
        person = {user.pk: user for user in rows.order_by("pk")}[person.pk]
        course = storage.lock(request.action_id)
        at = clock.now()
        course.lapse(at)
        only = next((s for s in course.stages if stage and s.pk == stage.pk), None)
        found = authority.standing(course, request, person, at, only=only)
        if found.refusal:
            raise found.refusal
        assert course.request is not None
        yield _Held(course, course.request, person, found, at)
        if course.happenings:
            _save(course, at)


def _save(course: Course, at: datetime) -> None:
    try:
        storage.save(course, at=at, before=Status.PENDING, in_time=True)
    except storage.Overtaken:
        raise NotOpen("The time to decide is over. Look at it again.") from None


# I am looking at it


def claim(request: ApprovalRequest, person: User) -> None:
    """Tell the others that this person is looking at it. It keeps nobody from deciding.

    It lasts for ``CLAIM``; somebody else's takes over.
    """
    with _held(request, person) as held:
        former = claimed_by(held.request, held.at)
        _claim(held.request, held.person, held.at)
        instead = former.get_username() if former and former != held.person else None
        until = (held.at + CLAIM).isoformat()
        held.happen(Kind.CLAIMED, until=until, instead_of=instead)


def unclaim(request: ApprovalRequest, person: User) -> None:
    """Say that this person looks at it no longer. Without a claim it changes nothing."""
    with _held(request, person) as held:
        looking = claimed_by(held.request, held.at)
        if looking is None:
            return
        if looking != held.person:
            raise NotAllowed(f"{looking} is looking at it, not you.")
        _claim(held.request, None, None)
        held.happen(Kind.RELEASED)


def claimed_by(request: ApprovalRequest, at: datetime) -> User | None:
    """Return who is looking at it at this moment."""
    if request.closed_at or request.claimed_at is None:
        return None
    return request.claimed_by if at < request.claimed_at + CLAIM else None


def _claim(request: ApprovalRequest, person: User | None, at: datetime | None) -> None:
    request.claimed_by, request.claimed_at = person, at
    request.save(update_fields=["claimed_by", "claimed_at"])


# Not now


def snooze(request: ApprovalRequest, person: User, until: datetime) -> None:
    """Leave it out of this person's queue until then, and out of nobody else's."""
    with _held(request, person) as held:
        deadline = held.course.action.deadline_at
        if until <= held.at:
            raise Invalid("Choose a time that lies ahead.", code="snooze_until")
        if deadline and until > deadline:
            raise Invalid(
                f"Silence decides at {words.moment(deadline)}: choose a time before.",
                code="snooze_until",
            )
        Snooze.objects.update_or_create(
            request=held.request, person=held.person, defaults={"until": until}
        )
        held.happen(Kind.SNOOZED, until=until.isoformat())


def wake(request: ApprovalRequest, person: User) -> None:
    """Put it back into this person's queue. Where it was never out, change nothing."""
    with _held(request, person) as held:
        gone, _ = Snooze.objects.filter(
            request=held.request, person=held.person
        ).delete()
        if gone:
            held.happen(Kind.SNOOZED, until=None)


# Not mine


def reassign(
    request: ApprovalRequest, person: User, stage: Stage, group: str, reason: str
) -> None:
    """Send an open stage to another group, by name, in place of those it asks.

    Only to where its flow says, or where silence would send it. The clocks run on, and
    what people outside of that group said at this stage no longer counts.
    """
    reason = reason.strip()
    if not reason:
        raise Invalid("Say why it belongs there.", code="reason_required")
    if len(reason) > MAX_REASON:
        raise Invalid(f"Keep it under {MAX_REASON} characters.", code="too_long")
    with _held(request, person, stage) as held:
        stage = _own_stage(held.course, stage)
        target = _target(stage, group)
        former, stage.groups = stage.groups, [target]
        counting = rightful(held.course)
        _check_enough(held.course, stage, counting)
        given = {v.seat_id for v in held.course.votes if _approves(v, stage)}
        stage.lapsed = sorted(given - counting[stage.pk] - {None})
        held.happen(
            Kind.REASSIGNED,
            stage=stage.name,
            groups=[target["name"]],
            instead_of=[each["name"] for each in former],
            needed=stage.needed,
            reason=reason,
        )


def targets(stage: Stage) -> list[dict[str, Any]]:
    """Return the groups a stage may be sent to: its flow's, then those of silence."""
    ahead = [
        group
        for step in stage.steps_left()
        if step["do"] == "escalate"
        for group in step["groups"]
    ]
    possible = {group["id"]: group for group in [*stage.reassign_to, *ahead]}
    asked = {group["id"] for group in stage.groups}
    if len(asked) == 1:
        possible = {pk: each for pk, each in possible.items() if pk not in asked}
    there = set(Group.objects.filter(pk__in=possible).values_list("pk", flat=True))
    return [group for pk, group in possible.items() if pk in there]


def _own_stage(course: Course, stage: Stage) -> Stage:
    for each in course.stages:
        if each.pk == stage.pk and each.is_open():
            return each
    raise NotAllowed(f"The stage {stage.name} is not open.")


def _target(stage: Stage, name: str) -> dict[str, Any]:
    possible = targets(stage)
    if not possible:
        raise NotAllowed(
            "The flow names nobody else for this stage: whoever looks after the flow "
            "can add a group to reassign_to."
        )
    for group in possible:
        if group["name"] == name:
            return group
    names = " or ".join(group["name"] for group in possible)
    raise NotAllowed(f"It can go to {names}, and to nobody else.")


def _check_enough(
    course: Course, stage: Stage, counting: Mapping[int, Set[int]]
) -> None:
    """Refuse to send it where nobody could ever satisfy it.

    Who is needed at another stage counts there: nobody approves twice.
    """
    spent = spoken(course)
    unfinished = [
        s for s in course.stages if s.state in UNFINISHED and s.pk != stage.pk
    ]
    asked = []
    for each in [*unfinished, stage]:
        given = {v.seat_id for v in course.votes if _approves(v, each)}
        people = counting[each.pk]
        asked.append((each.needed, (people - spent) | (people & given)))
    able = len(asked[-1][1])
    if staffed(asked)[-1] < stage.needed:
        said = "1 person" if able == 1 else f"{able} people"
        others = "" if able < stage.needed else ", and other stages need them"
        raise NotAllowed(
            f"{stage.groups[0]['name']} has {said} who can decide this{others}; the "
            f"stage needs {stage.needed}."
        )


def _approves(vote: Vote, stage: Stage) -> bool:
    return vote.stage_id == stage.pk and vote.verdict == Vote.Verdict.APPROVE
