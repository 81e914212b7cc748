"""What follows when somebody in Slack presses a button, or sends a dialog?

Slack says who it was. Whoever has linked that account decides, by the same rules and
with the same refusals as in the console: the services are asked, nothing is known here.
"""

from __future__ import annotations

from typing import Any

from approvals import authority, services
from approvals.console.review import has_just_looked
from approvals.console.standing import courses_of
from approvals.course import Course
from approvals.errors import Changed, Expired, NotFound, NotOpen
from approvals.models import ApprovalRequest, Vote
from governance import clock
from governance.errors import Refused
from governance.models import Status, User
from notifications import answering
from notifications.messages import link as page_of
from notifications.models import SlackAccount
from notifications.slack import accounts, answers, api, dialogs, identity
from notifications.slack.buttons import Button
from notifications.slack.payloads import Pressed, Sender, Sent
from notifications.transports.base import DeliveryError

# What is wrong with the words alone is said at their field.
CORRECTABLE = frozenset({"too_long", "unsafe_text"})
LED_TO: dict[str, str] = {
    Status.APPROVED: "Approved: the agent may go ahead.",
    Status.REJECTED: "Rejected: the agent may not do it.",
    Status.CHANGES_REQUESTED: "Sent back to the agent for changes.",
}


class Stranger(Refused):
    code = "slack_stranger"
    status = 403

    def __init__(self) -> None:
        super().__init__("Only people of Countersign's own workspace can decide.")


class Unlinked(Refused):
    code = "slack_unlinked"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "Countersign does not know who you are. Link your account in Slack to the "
            "one you log in with, once, and press again."
        )


class DecideThere(Refused):
    code = "decide_in_console"


def press(pressed: Pressed) -> None:
    """Open the dialog that the button is for, or tell whoever pressed it why not."""
    address = pressed.address
    try:
        _open(pressed)
    except Unlinked as refusal:
        sender = pressed.sender
        invitation = accounts.invite(sender.team, sender.user)
        answers.tell(address, str(refusal), link=invitation, verb="Link your account")
    except DecideThere as refusal:
        there = page_of(_request(pressed.button))
        answers.tell(address, str(refusal), link=there, verb="Open the request")
    except (NotOpen, Changed, Expired) as refusal:
        answers.tell(address, str(refusal))
        answers.close(address, list(pressed.blocks), str(refusal))
    except Refused as refusal:
        answers.tell(address, str(refusal))
    except DeliveryError:
        answers.tell(address, "Slack did not open the dialog in time. Press again.")


def _open(pressed: Pressed) -> None:
    """Ask for the verdict, and put on record that this person has read the request."""
    button, person = pressed.button, _person(pressed.sender)
    request, at = _request(button), clock.now()
    course = courses_of([request], at)[request.pk]
    if refusal := authority.standing(course, request, person, at).refusal:
        raise refusal
    if button.digest != request.digest:
        raise Changed("What you saw is not what is waiting now. Look at it again.")
    _check_fit(button, request)
    view = dialogs.dialog(button, request)
    api.call("views.open", api.AT_ONCE, trigger_id=pressed.trigger, view=view)
    if not has_just_looked(request, person, at):
        services.view(request, person, via="slack")


def send(sent: Sent) -> dict[str, Any]:
    """Give the verdict to the service. Return what the dialog shows after that."""
    try:
        request = _request(sent.button)
        if missing := _missing(sent, request):
            return {"response_action": "errors", "errors": missing}
        course = _decide(sent, request)
    except Refused as refusal:
        if refusal.code in CORRECTABLE:
            errors = {dialogs.COMMENT: str(refusal)}
            return {"response_action": "errors", "errors": errors}
        return _instead(sent, str(refusal))
    words = LED_TO.get(course.action.status)
    return _instead(sent, words or "Your word counts. It waits for others, too.")


def _decide(sent: Sent, request: ApprovalRequest) -> Course:
    person = _person(sent.sender)
    if request.closed_at is None:
        _check_fit(sent.button, request)
    return services.decide(
        request,
        person,
        sent.button.verdict,
        digest=sent.button.digest,
        comment=sent.comment,
        via="slack",
    )


def _person(sender: Sender) -> User:
    """Return who somebody in Slack is here."""
    if sender.team != identity.our_team():
        raise Stranger
    rows = SlackAccount.objects.select_related("person")
    account = rows.filter(team=sender.team, user=sender.user).first()
    if account is None:
        raise Unlinked
    return account.person


def _request(button: Button) -> ApprovalRequest:
    rows = ApprovalRequest.objects.select_related("action__agent")
    request = rows.filter(pk=button.request).first()
    if request is None:
        raise NotFound
    return request


def _check_fit(button: Button, request: ApprovalRequest) -> None:
    """Refuse to approve here what has become unfit for it since it was posted."""
    if button.verdict != Vote.Verdict.APPROVE:
        return
    if doubt := answering.obstacle(request):
        raise DecideThere(f"Approve it in the console. {doubt}")


def _missing(sent: Sent, request: ApprovalRequest) -> dict[str, str]:
    """Say at its field what else has to be said. Slack checks it, too."""
    verdict = sent.button.verdict
    if verdict == Vote.Verdict.REQUEST_CHANGES and not sent.comment:
        return {dialogs.COMMENT: "Say what should change."}
    if dialogs.must_confirm(verdict, request) and not sent.confirmed:
        return {dialogs.CONFIRMED: "Confirm that you checked it."}
    return {}


def _instead(sent: Sent, words: str) -> dict[str, Any]:
    title = dialogs.WORDS[sent.button.verdict].title
    return {"response_action": "update", "view": dialogs.said(title, words)}
