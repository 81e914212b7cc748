"""May this person decide this request now? If not: why not, and who can?

One answer for the services, which ask under their locks, and for every page, command
and message that explains itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from django.utils.text import get_text_list

from approvals import routing
from approvals.course import Course, eligible
from approvals.deciders import deciders, rightful, spoken
from approvals.errors import AlreadyVoted, Changed, Expired, NotAllowed, NotOpen
from approvals.models import ApprovalRequest, Delegation, Seat, Stage, Vote
from governance.errors import Refused
from governance.models import Status, User
from governance.words import moment

MOST_NAMES = 6
OUTSIDER = "You are not among the people asked to decide this."


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one person stands with one request at one moment."""

    refusal: Refused | None = None
    # Where the vote would count, and whose right it would use.
    stage: Stage | None = None
    seat: int | None = None
    # The username of whose right it is, if not the person's own.
    for_whom: str = ""
    # Who, by stage, has a right that counts there.
    rightful: Mapping[int, Set[int]] = field(default_factory=dict)
    # Who could decide instead: ``alice``, ``bob for carol``.
    who_can: tuple[str, ...] = ()

    @property
    def may(self) -> bool:
        return self.refusal is None

    @property
    def code(self) -> str:
        return self.refusal.code if self.refusal else ""

    @property
    def why(self) -> str:
        return str(self.refusal or "")


def standing(
    course: Course,
    request: ApprovalRequest,
    person: User,
    at: datetime,
    *,
    only: Stage | None = None,
) -> Standing:
    """Answer for anybody. Silence must have spoken: call ``lapse`` first.

    ``request`` is what the person has before them, ``only`` the one stage it is about.
    """
    if over := settled(course, request):
        return Standing(over)
    inquiry = _Inquiry(course, person, at)
    place = inquiry.place([only] if only else course.stages)
    if place is None:
        return inquiry.refused()
    stage, seat = place
    holder = User.objects.get(pk=seat) if seat != person.pk else None
    name = holder.get_username() if holder else ""
    return Standing(None, stage, seat, name, inquiry.rightful)


class _Inquiry:
    """One person's rights on a request that is open."""

    def __init__(self, course: Course, person: User, at: datetime) -> None:
        self.course, self.person, self.at = course, person, at
        self.owner = course.action.agent.owner_id
        self.spent = spoken(course)
        self.rightful = rightful(course)
        self.seats: list[Seat] = Delegation.objects.seats_of(person.pk, at)

    def place(self, stages: Sequence[Stage]) -> tuple[Stage, int] | None:
        """Return the open stage on which a vote would count, and whose right it uses."""
        person = self.person
        if not person.is_active or person.pk in self.spent or person.pk == self.owner:
            return None
        usable = [seat.holder for seat in self.seats if self._is_usable(seat)]
        return eligible(stages, usable, self.rightful)

    def _is_usable(self, seat: Seat) -> bool:
        """Whether this right counts: used once, held on the rows, not the owner's."""
        return (
            seat.holder not in self.spent
            and self.owner not in seat.way
            and seat.holder in self._granted
        )

    @cached_property
    def _granted(self) -> set[int]:
        assert self.course.request is not None
        holders = [seat.holder for seat in self.seats]
        if self.course.happenings:
            # Silence has opened it to others, and nobody has saved the grants yet.
            return set(holders)
        return routing.granted(holders, self.course.request)

    # Why not

    def refused(self) -> Standing:
        kind, why = self._objection()
        who_can = self._who_can()
        if who_can is not None:
            why = f"{why} {_sentence(who_can)}"
        return Standing(kind(why), rightful=self.rightful, who_can=tuple(who_can or ()))

    def _who_can(self) -> list[str] | None:
        """Return who could decide instead. None: it is not for this person to know."""
        request = self.course.request
        assert request is not None
        visible = ApprovalRequest.objects.visible_to(self.person)
        if not self.person.is_active or not visible.filter(pk=request.pk).exists():
            return None
        able = deciders(self.course, self.rightful, self.at)
        stages = self.course.open_stages()
        return sorted({name for stage in stages for name in able[stage.pk]})

    def _objection(self) -> tuple[type[Refused], str]:
        if not self.person.is_active:
            return NotAllowed, "This account is switched off."
        if self.person.pk == self.owner:
            return NotAllowed, "You own this agent: somebody else has to decide."
        for vote in self.course.votes:
            if said := self._said_in(vote):
                return AlreadyVoted, said
        return NotAllowed, self._elsewhere() or self._spent_or_lost() or OUTSIDER

    def _said_in(self, vote: Vote) -> str:
        """Say that this vote was theirs, or was given in their place."""
        if vote.seat_id == self.person.pk and vote.person_id != self.person.pk:
            return f"{_speaker(vote)} has decided for you."
        if vote.person_id != self.person.pk:
            return ""
        approves = vote.verdict == Vote.Verdict.APPROVE
        if approves and vote.seat_id not in self.rightful[vote.stage_id]:
            return (
                "You have decided on this revision already. It does not count any more: "
                "the right to it is gone."
            )
        return "You have decided on this revision already."

    def _spent_or_lost(self) -> str:
        """Say why a right at a stage that is open is of no use."""
        stages = self.course.open_stages()
        for seat in self.seats:
            if not any(seat.holder in self.rightful[stage.pk] for stage in stages):
                continue
            if self.owner in seat.way:
                return (
                    "The right that was handed to you came through the agent's owner."
                )
            if seat.holder in self.spent:
                return "Whom you stand in for has decided already."
            return "Your right to decide this was withdrawn."
        return ""

    def _elsewhere(self) -> str:
        """Say that their turn comes later, is over, or may come when others say nothing."""
        course, holders = self.course, {seat.holder for seat in self.seats}
        now = get_text_list([stage.name for stage in course.open_stages()], "and")
        if any(self.rightful[stage.pk] & holders for stage in course.open_stages()):
            return ""
        for stage in course.stages:
            if stage.state == Stage.State.WAITING and self.rightful[stage.pk] & holders:
                return f"{stage.name} is asked after {now}."
        for stage in course.stages:
            if self.rightful[stage.pk] & holders:
                return f"{stage.name} has agreed already. It waits for {now} now."
        return self._on_silence(holders)

    def _on_silence(self, holders: Set[int]) -> str:
        """Say when their group would be asked as well."""
        rows = User.groups.through.objects.filter(user__in=holders)
        groups = set(rows.values_list("group_id", flat=True))
        for stage in self.course.open_stages():
            for step in stage.steps_left():
                named = [g["name"] for g in step["groups"] if g["id"] in groups]
                if step["do"] == "escalate" and named:
                    when = datetime.fromisoformat(step["at"])
                    return f"{named[0]} is asked if nobody decides by {moment(when)}."
        return ""


def _speaker(vote: Vote) -> str:
    return vote.person.get_username() if vote.person else vote.by


def _sentence(names: Sequence[str]) -> str:
    if not names:
        return "Nobody can decide it at the moment."
    shown, more = list(names[:MOST_NAMES]), len(names) - MOST_NAMES
    if more > 0:
        shown.append(f"{more} more")
    return f"{get_text_list(shown, 'and')} can."


def settled(course: Course, request: ApprovalRequest) -> Refused | None:
    """Return why nobody can decide it any more."""
    action = course.action
    former = request.revision != action.revision
    if course.request is None or course.request.pk != request.pk or former:
        if request.outcome == ApprovalRequest.Outcome.SUPERSEDED:
            return Changed(
                "It was judged again by other rules since. Look at that one."
            )
        return Changed(
            f"The agent has sent revision {action.revision} since. Look at that one."
        )
    if action.status == Status.EXPIRED:
        when = (
            f" at {moment(course.request.closed_at)}"
            if course.request.closed_at
            else ""
        )
        return Expired(f"The time to decide is over: this request expired{when}.")
    if action.status != Status.PENDING:
        return NotOpen(already(course))
    return None


def already(course: Course) -> str:
    """Say who settled it, when and how."""
    action = course.action
    outcome = course.request.get_outcome_display() if course.request else ""
    status = (outcome or action.get_status_display()).lower()
    last = course.votes[-1] if course.votes else None
    if last is None or action.status == Status.CANCELLED:
        return f"This request is {status} already."
    return f"This request is {status} already: {last.by} decided at {moment(last.at)}."
