"""What comes of a verdict that the review page sent? The services decide about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from approvals import conditions, services
from approvals.console import moves, stamps, words
from approvals.console.forms import DecisionForm
from approvals.console.moves import Turned
from approvals.console.revealing import reveal_line
from approvals.course import Course
from approvals.errors import Changed
from approvals.models import ApprovalRequest, Vote
from governance import clock
from governance.errors import Refused
from governance.models import Status, User

REVIEW = "admin:approvals_approvalrequest_change"
# What a form keeps when it is shown for another revision: nothing about parameters.
KEPT = ("comment", "conditions")


def hand_over(approval: ApprovalRequest, person: User, said: dict[str, Any]) -> Course:
    """Give the verdict to the service, with the time at which the page was shown.

    Raises whatever it refuses with.
    """
    if said["request"] != approval.pk:
        raise Changed("This form was made for another request. Look at it again.")
    shown = stamps.read(said["shown"], approval, person)
    return services.decide(
        approval,
        person,
        Vote.Verdict(said["verdict"]),
        digest=said["digest"],
        comment=said["comment"],
        conditions=said["conditions"],
        checks=[*said["checks"], *said["before"]],
        proposed_params=said["proposal"],
        via="console",
        shown_at=shown.at if shown else None,
    )


def turn(
    approval: ApprovalRequest, person: User, said: dict[str, Any], refusal: Refused
) -> Turned:
    """Say what was refused, and what has happened since the page was shown."""
    shown = stamps.read(said["shown"], approval, person)
    steps = moves.steps_since(approval.action, shown.seen) if shown else []
    return Turned(refusal, approval, moves.told(steps), said["comment"])


def carried_over(form: DecisionForm, later: ApprovalRequest) -> DecisionForm:
    """Return a form for a later revision with the words that were written."""
    kept = {name: form[name].value() for name in KEPT}
    return DecisionForm(approval=later, at=clock.now(), initial=kept)


def warnings(course: Course, said: dict[str, Any]) -> Iterator[str]:
    """Say which conditions would stop the agent as things are."""
    for unmet in conditions.unmet(course.action, said["checks"], clock.now()):
        yield f"This condition does not hold for what waits now: {unmet}"


def told(course: Course) -> SafeString:
    """Confirm what a verdict led to, with the way back to what it was about."""
    request = course.request
    assert request is not None
    return format_html(
        '{}: <a class="underline" href="{}">{}</a>',
        _led_to(course),
        reverse(REVIEW, args=[request.pk]),
        reveal_line(str(request)),
    )


def _led_to(course: Course) -> str:
    match course.action.status:
        case Status.APPROVED:
            return "Approved, the agent may go ahead"
        case Status.REJECTED:
            return "Rejected, the agent may not do it"
        case Status.CHANGES_REQUESTED:
            return "Sent back to the agent for changes"
        case _:
            return f"Your word counts, {words.progress(course)}"
