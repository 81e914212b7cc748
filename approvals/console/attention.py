"""Who looks at a request, who should instead, and who will later? Shown, and changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.utils.timezone import localtime

from approvals import routing, services
from approvals.authority import Standing
from approvals.console import access, looks, words
from approvals.course import Course
from approvals.deciders import spoken
from approvals.models import ApprovalRequest, Seat, Snooze, Stage, desk_of
from approvals.services import attention
from governance import clock
from governance.console import number
from governance.errors import Invalid, Refused
from governance.models import User

QUEUE = "admin:approvals_approvalrequest_changelist"
REVIEW = "admin:approvals_approvalrequest_change"
MORNING = time(9)


# On the review page


@dataclass(frozen=True, slots=True)
class Attention:
    """What a person who could decide may do instead."""

    for_whom: str
    is_looking: bool
    snoozed_until: datetime | None
    # Until when it may be put off: what to send, and how to say it.
    later: list[tuple[str, str]]
    # Where each open stage of theirs may go.
    elsewhere: list[tuple[Stage, list[str]]]


def of(course: Course, standing: Standing, person: User, at: datetime) -> Attention:
    assert course.request is not None
    snoozed = _snoozes([course.request], person, at)
    holders = set(routing.seats(person, at))
    mine = [
        stage
        for stage in course.open_stages()
        if standing.rightful.get(stage.pk, set()) & holders
    ]
    sent = [(s, [group["name"] for group in attention.targets(s)]) for s in mine]
    return Attention(
        standing.for_whom,
        attention.claimed_by(course.request, at) == person,
        snoozed.get(course.request.pk),
        [(when.isoformat(), said) for when, said in _later(course, at)],
        [(stage, groups) for stage, groups in sent if groups],
    )


def _later(course: Course, at: datetime) -> list[tuple[datetime, str]]:
    """Return the times to choose from: those before silence decides."""
    morning = localtime(at).replace(
        hour=MORNING.hour, minute=0, second=0, microsecond=0
    )
    to_monday = timedelta(days=7 - morning.weekday())
    offered = [
        (at + timedelta(hours=1), "For an hour"),
        (at + timedelta(hours=4), "For 4 hours"),
        (morning + timedelta(days=1), f"Until tomorrow, {morning:%H:%M}"),
        (morning + to_monday, f"Until Monday, {morning:%H:%M}"),
    ]
    end = course.action.deadline_at
    return [(when, said) for when, said in offered if end is None or when < end]


# In the queue


@dataclass(frozen=True, slots=True)
class Mark:
    """What a row says beside the request: for whom, who looks, until when not."""

    for_whom: str = ""
    looking: str = ""
    snoozed_until: datetime | None = None


def marks(user: User, courses: Mapping[UUID, Course], at: datetime) -> dict[UUID, Mark]:
    """Return what to say of each request by its key, in as many queries as for one."""
    requests = [c.request for c in courses.values() if c.request]
    snoozed = _snoozes(requests, user, at)
    looking = looks.others(requests, user, at)
    whose = _whose(user, courses)
    return {
        request.pk: Mark(
            whose.get(request.pk, ""),
            looking.get(request.pk, ""),
            snoozed.get(request.pk),
        )
        for request in requests
    }


def _snoozes(
    requests: Iterable[ApprovalRequest], user: User, at: datetime
) -> dict[UUID, datetime]:
    rows = Snooze.objects.filter(request__in=requests, person=user, until__gt=at)
    return dict(rows.values_list("request_id", "until"))


def _whose(user: User, courses: Mapping[UUID, Course]) -> dict[UUID, str]:
    """Return whose right this person would use, where it is not their own."""
    seats = desk_of(user).seats
    if len(seats) == 1:
        return {}
    stages = [s for course in courses.values() for s in course.open_stages()]
    members = routing.members(stages, None)
    names = User.objects.in_bulk([seat.holder for seat in seats])
    found = {}
    for pk, course in courses.items():
        seat = _seat(course, seats, members, user)
        if seat and seat.since:
            found[pk] = names[seat.holder].get_username()
    return found


def _seat(
    course: Course, seats: list[Seat], members: Mapping[int, set[int]], user: User
) -> Seat | None:
    """Return the right that a vote of this person would use."""
    spent, owner = spoken(course), course.action.agent.owner_id
    asked = set().union(*(members[stage.pk] for stage in course.open_stages()))
    if user.pk in spent or user.pk == owner:
        return None
    free = (s for s in seats if s.holder not in spent and owner not in s.way)
    return next((seat for seat in free if seat.holder in asked), None)


# The buttons


def attend(request: HttpRequest, object_id: UUID, verb: str) -> HttpResponse:
    """Do what one of the buttons says. What the service refuses is said on the page."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not access.may_open(request):
        raise PermissionDenied
    person = access.person(request)
    visible = ApprovalRequest.objects.visible_to(person)
    approval = get_object_or_404(visible.select_related("action__agent"), pk=object_id)
    try:
        said = VERBS[verb](request, approval, person)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(REVIEW, approval.pk)
    messages.success(request, said)
    gone = verb in ("snooze", "reassign")
    return redirect(QUEUE) if gone else redirect(REVIEW, approval.pk)


def _claim(request: HttpRequest, approval: ApprovalRequest, person: User) -> str:
    services.claim(approval, person)
    minutes = int(attention.CLAIM.total_seconds() // 60)
    return f"The others see for {minutes} minutes that you are looking at it."


def _unclaim(request: HttpRequest, approval: ApprovalRequest, person: User) -> str:
    services.unclaim(approval, person)
    return "The others see that you are no longer looking at it."


def _snooze(request: HttpRequest, approval: ApprovalRequest, person: User) -> str:
    try:
        until = datetime.fromisoformat(request.POST.get("until", ""))
    except ValueError:
        until = clock.now()
    if until.tzinfo is None:
        raise Invalid("Choose a time that lies ahead.", code="snooze_until")
    services.snooze(approval, person, until)
    return f"Out of your queue until {words.moment(until)}: {approval}"


def _wake(request: HttpRequest, approval: ApprovalRequest, person: User) -> str:
    services.wake(approval, person)
    return "It is back in your queue."


def _reassign(request: HttpRequest, approval: ApprovalRequest, person: User) -> str:
    stage, _, group = request.POST.get("to", "").partition(":")
    found = Stage.objects.filter(request=approval, pk=number(stage)).first()
    if found is None:
        raise Invalid("Choose who it belongs to.", code="reassign_to")
    reason = request.POST.get("reason", "")
    services.reassign(approval, person, found, group, reason)
    return f"Passed on to {group}: {approval}"


VERBS: dict[str, Callable[[HttpRequest, ApprovalRequest, User], str]] = {
    "claim": _claim,
    "unclaim": _unclaim,
    "snooze": _snooze,
    "wake": _wake,
    "reassign": _reassign,
}
