"""What is an agent told, and when? What becomes of an action while the agent waits.

What it does itself is answered on the spot. A message says what an agent needs to know
whether to look again, and leaves out what it sent itself: parameters and context may
hold what should not leave this house by another door.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.conf import settings

from approvals.api.representation import action_data, moment
from approvals.course import Course
from approvals.services import storage
from governance import clock
from governance.ledger import Kind
from governance.models import Event
from governance.queue import nudge
from notifications.webhooks.models import Webhook, WebhookMessage

JOB = "notifications.webhooks.jobs.send_webhooks"
TEST = "webhook.test"
TYPES = {
    Kind.APPROVED: "action.approved",
    Kind.BYPASSED: "action.approved",
    Kind.REJECTED: "action.rejected",
    Kind.CHANGES_REQUESTED: "action.changes_requested",
    Kind.EXPIRED: "action.expired",
    Kind.CANCELLED: "action.cancelled",
}
# Another verdict of the rules, where somebody had it judged again. That people are
# asked anew is nothing an agent has to act on.
JUDGED_AGAIN = {"ALLOW": "action.allowed", "BLOCK": "action.blocked"}
# What the agent sent itself, and what people would have it send instead.
LEFT_OUT = ("params", "resource", "reason", "context", "outcome_detail")
# What is larger says only what it is about: the agent reads the rest.
LONGEST = 20_000
THIN = ("id", "action", "revision", "digest", "decision", "status", "updated_at")


def tell(event: Event) -> None:
    """Create what the agent's webhooks are to be sent about an event.

    Inside the transaction that takes the event, so that nothing gets lost or doubled.
    """
    name = _type(event)
    if name is None or event.action_id is None:
        return
    webhooks = list(Webhook.objects.active().filter(agent=event.agent_id))
    if not webhooks:
        return
    course = storage.read(event.action_id)
    at = clock.now()
    course.lapse(at)
    body = _body(name, event.at, _data(course))
    rows = [_message(each, name, body, at, event) for each in webhooks]
    WebhookMessage.objects.bulk_create(rows, ignore_conflicts=True)
    nudge(JOB)


def trial(webhook: Webhook, at: datetime) -> WebhookMessage:
    """Return a message that says nothing, to see whether it gets through."""
    words = "Sent by an administrator to see whether this address answers."
    body = _body(TEST, at, {"agent": webhook.agent.name, "message": words})
    return _message(webhook, TEST, body, at)


def _type(event: Event) -> str | None:
    if event.kind == Kind.JUDGED_AGAIN:
        return JUDGED_AGAIN.get(event.data["decision"])
    return TYPES.get(Kind(event.kind))


def _message(
    webhook: Webhook,
    name: str,
    body: str,
    at: datetime,
    event: Event | None = None,
) -> WebhookMessage:
    return WebhookMessage(
        webhook=webhook,
        event=event,
        type=name,
        body=body,
        made_at=at,
        queued_at=at,
        next_attempt_at=at,
    )


def _body(name: str, at: datetime, data: dict[str, Any]) -> str:
    said = {"type": name, "timestamp": moment(at), "data": data}
    return json.dumps(said, separators=(",", ":"))


def _data(course: Course) -> dict[str, Any]:
    """Return the action as the API shows it, but for what the agent knows."""
    whole = action_data(course)
    approval = whole["approval"]
    if approval:
        del approval["proposed_params"]
        for decision in approval["decisions"]:
            del decision["proposed_params"]
    data = {name: value for name, value in whole.items() if name not in LEFT_OUT}
    if len(json.dumps(data)) > LONGEST:
        data = {name: whole[name] for name in THIN}
    return {**data, "url": f"{settings.PUBLIC_URL}/api/v1/actions/{whole['id']}"}
