"""What does one message say? All of it is inert text, whoever wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from approvals.models import ApprovalRequest, Stage, Vote
from governance.ledger import Kind
from governance.models import Action, Event
from governance.text_safety import visible, visible_line
from notifications import answering, audience
from notifications.models import SLACK, Delivery
from notifications.phrasing.filling import phrase_for, phrased
from notifications.topics import topic_of
from notifications.transports.base import Message
from notifications.wording import either, explanation, headline

# What is longer is not cut but left out, with a word about it: half of the parameters
# would be taken for all of them.
LONGEST_BLOCK = 20_000
TOO_LONG = "Too long for a message"
INVITATION = "Read it and decide here (login required):"
AFTERWARDS = "Read what became of it here (login required):"


def compose(delivery: Delivery, address: str, request: ApprovalRequest) -> Message:
    """Return the message about one event, for one reader, as administrators word it."""
    message = plainly(delivery, address, request)
    topic = topic_of(delivery.event.kind)
    phrase = phrase_for(topic, delivery.channel, request.action.name)
    return phrased(message, phrase, request) if phrase else message


def plainly(delivery: Delivery, address: str, request: ApprovalRequest) -> Message:
    """Return the message in our own words."""
    event, action = delivery.event, request.action
    settled = event.kind in audience.SETTLING
    return Message(
        to=address,
        id=f"<{request.pk}.{delivery.pk}@{host()}>",
        thread=f"<{request.pk}@{host()}>",
        title=_title(event, request),
        headline=headline(event),
        summary=subject_matter(request),
        body=explanation(event),
        url=link(request),
        facts=(*(_said(request) if settled else ()), *_facts(request, action)),
        why=tuple(visible_line(reason["reason"]) for reason in action.reasons),
        parameters=_block(request.params),
        words=_words(request),
        context=_block(request.context) if request.context else "",
        invitation=AFTERWARDS if settled else INVITATION,
        request=str(request.pk) if event.kind in audience.ASKING else "",
        digest=request.digest,
        obstacle=_obstacle(delivery, request),
        settled=settled,
    )


def subject_matter(request: ApprovalRequest) -> str:
    """Return in one line what would be done."""
    return visible_line(request.summary or request.action.name)


def link(request: ApprovalRequest) -> str:
    """Return the address of the review page. Opening it takes a login."""
    page = reverse("admin:approvals_approvalrequest_change", args=[request.pk])
    return f"{settings.PUBLIC_URL}{page}"


def _obstacle(delivery: Delivery, request: ApprovalRequest) -> str:
    """Return why it cannot be decided from the message, where that can be done."""
    if delivery.channel != SLACK or delivery.event.kind not in audience.ASKING:
        return ""
    texts = (_block(request.params), _block(request.context), _words(request))
    if any(text.startswith(TOO_LONG) for text in texts):
        return "It is too long to be shown here whole."
    return answering.obstacle(request)


def _title(event: Event, request: ApprovalRequest) -> str:
    matter = subject_matter(request)
    if event.kind == Kind.UNREACHABLE:
        return f"Nobody can decide: {matter}"
    new = event.kind in (Kind.STAGE_OPENED, Kind.REASSIGNED)
    again = "" if new else "Re: "
    return f"{again}Approval needed: {matter}"


def _facts(request: ApprovalRequest, action: Action) -> Iterator[tuple[str, str]]:
    stages = [stage for stage in request.stages.all() if stage.is_open()]
    if action.deadline_at:
        yield "Decide by", _moment(action.deadline_at)
        yield "Otherwise", _silence(action, stages)
    for stage in stages:
        groups = either([group["name"] for group in stage.groups])
        yield "Needed", f"{stage.needed} of {groups} ({visible_line(stage.name)})"
    agent = action.agent
    yield "Agent", f"{agent.name} ({visible_line(agent.environment)})"
    yield "Action", action.name
    if request.resource:
        kind, pk = request.resource["type"], request.resource["id"]
        yield "Resource", visible_line(f"{kind} {pk}")
    if request.revision > 1:
        yield "Revision", str(request.revision)
    yield "Risk", f"{request.risk} of 100"
    if not action.reversible:
        yield "Undo", "Cannot be undone"
    yield "Asked", _moment(request.opened_at)


SAYS = {
    Vote.Verdict.APPROVE: "Approved",
    Vote.Verdict.REJECT: "Rejected",
    Vote.Verdict.REQUEST_CHANGES: "Asked for changes",
}


def _said(request: ApprovalRequest) -> Iterator[tuple[str, str]]:
    """Yield who said what, in order."""
    for vote in request.votes.select_related("person", "seat").order_by("pk"):
        verdict = SAYS[Vote.Verdict(vote.verdict)]
        comment = visible_line(vote.comment)
        yield visible_line(vote.by), f"{verdict}: {comment}" if comment else verdict


def _silence(action: Action, stages: list[Stage]) -> str:
    """Say what happens when nobody decides by the deadline."""
    due = [stage for stage in stages if stage.deadline_at == action.deadline_at]
    stage = due[0] if due else None
    if stage is None or action.expires_at == action.deadline_at:
        return "it expires"
    step = stage.next_step()
    if step is None or step["do"] == "hold":
        return "it goes on waiting"
    match step["do"]:
        case "escalate":
            groups = [group["name"] for group in step["groups"]]
            return f"{either(groups)} will be asked as well"
        case "approve":
            return f"it is approved if the risk is at most {step['max_risk']}"
        case _:
            return "it expires"


def _block(value: Any) -> str:
    # Databases keep the names in orders of their own: here it is always the same.
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return _fits(visible(text))


def _words(request: ApprovalRequest) -> str:
    return _fits(visible(request.reason.strip()))


def _fits(text: str) -> str:
    if len(text) <= LONGEST_BLOCK:
        return text
    return f"{TOO_LONG} ({len(text):,} characters): read it in the console."


def _moment(at: datetime) -> str:
    return f"{timezone.localtime(at):%d %b %Y, %H:%M %Z}"


def host() -> str:
    return urlsplit(settings.PUBLIC_URL).hostname or "localhost"
