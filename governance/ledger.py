"""What happened? One append-only event per step, in the transaction of the step.

``record`` is the only way onto the record. It also leaves a pending row for every
reader that ``settings.LEDGER_READERS`` names for the kind, so that what must follow
(telling people) is never lost between two transactions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models

from governance import canonical, queue
from governance.models import Action, Agent, Event, PendingEvent, User


class Kind(models.TextChoices):
    SUBMITTED = "submitted"
    SUBMIT_REFUSED = "submit_refused"
    REVISED = "revised"
    ALLOWED = "allowed"
    BLOCKED = "blocked"
    STAGE_OPENED = "stage_opened"
    STAGE_CLOSED = "stage_closed"
    NOTIFIED = "notified"
    NOTIFICATION_FAILED = "notification_failed"
    VIEWED = "viewed"
    VOTED = "voted"
    APPROVED = "approved"
    REJECTED = "rejected"
    CHANGES_REQUESTED = "changes_requested"
    EXPIRED = "expired"
    ESCALATED = "escalated"
    HELD = "held"
    SLA_BREACHED = "sla_breached"
    UNREACHABLE = "unreachable"
    CANCELLED = "cancelled"
    CONSUMED = "consumed"
    CONSUME_REFUSED = "consume_refused"
    DECISION_REFUSED = "decision_refused"
    OUTCOME_REPORTED = "outcome_reported"
    AGENT_CREATED = "agent_created"
    AGENT_CHANGED = "agent_changed"
    AGENT_SUSPENDED = "agent_suspended"
    AGENT_RESUMED = "agent_resumed"
    KEY_ISSUED = "key_issued"
    KEY_REVOKED = "key_revoked"
    KEY_REFUSED = "key_refused"
    KEY_IN_URL = "key_in_url"
    # A second look at what waits, and who looks.
    JUDGED_AGAIN = "judged_again"
    REMINDED = "reminded"
    CLAIMED = "claimed"
    RELEASED = "released"
    REASSIGNED = "reassigned"
    SNOOZED = "snoozed"
    DELEGATED = "delegated"
    DELEGATION_ENDED = "delegation_ended"
    # Stop buttons, and the way around everything.
    FROZEN = "frozen"
    THAWED = "thawed"
    GLASS_BROKEN = "glass_broken"
    GLASS_MENDED = "glass_mended"
    BYPASSED = "bypassed"
    BYPASS_REVIEWED = "bypass_reviewed"
    POLICY_CHANGED = "policy_changed"
    CHANGE_PROPOSED = "change_proposed"
    CHANGE_CONFIRMED = "change_confirmed"
    CHANGE_DECLINED = "change_declined"
    PRESET_CHANGED = "preset_changed"
    ROUTING_CHANGED = "routing_changed"
    TROUBLE_BEGAN = "trouble_began"
    TROUBLE_ENDED = "trouble_ended"
    # What agents are told, and where.
    WEBHOOK_CHANGED = "webhook_changed"
    WEBHOOK_DISABLED = "webhook_disabled"
    WEBHOOK_SENT = "webhook_sent"
    WEBHOOK_FAILED = "webhook_failed"
    WEBHOOK_STUCK = "webhook_stuck"
    WEBHOOK_REPLAYED = "webhook_replayed"
    USER_CHANGED = "user_changed"
    SLACK_LINKED = "slack_linked"
    SLACK_UNLINKED = "slack_unlinked"
    LOGGED_IN = "logged_in"
    LOGIN_FAILED = "login_failed"
    LOGGED_OUT = "logged_out"
    EXPORTED = "exported"
    EXPORT_ENDED = "export_ended"
    PRINTED = "printed"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, under the name they had at the time."""

    kind: str
    id: str = ""
    name: str = ""

    @classmethod
    def person(cls, user: User) -> Self:
        return cls("person", str(user.pk), user.get_username())

    @classmethod
    def agent(cls, agent: Agent) -> Self:
        return cls("agent", str(agent.pk), agent.name)


SYSTEM = Actor("system", name="system")


def record(
    kind: Kind,
    *,
    at: datetime,
    actor: Actor,
    action: Action | None = None,
    agent: Agent | None = None,
    stream: str = "",
    **data: Any,
) -> Event:
    """Put one step on record. Call it inside the transaction of the step.

    ``stream`` names the subject when that is no action: ``policy:small-refunds``.
    ``data`` must be JSON; it is kept as the canonical bytes that will be hashed.
    """
    stream = stream or (f"action:{action.pk}" if action else "system")
    agent_id = action.agent_id if action else agent.pk if agent else None
    body = {
        "v": 1,
        "kind": str(kind),
        "at": at.isoformat(),
        "stream": stream,
        "actor": {"kind": actor.kind, "id": actor.id, "name": actor.name},
        "action": _subject(action),
        "data": data,
    }
    event = Event.objects.create(
        stream=stream,
        kind=kind,
        at=at,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        action=action,
        agent_id=agent_id,
        action_name=action.name if action else "",
        status=action.status if action else "",
        policy=_policy(stream, data),
        body=canonical.canonical_bytes(
            json.loads(json.dumps(body, default=str))
        ).decode(),
    )
    for reader, kinds in settings.LEDGER_READERS.items():
        if kind in kinds:
            PendingEvent.objects.create(event=event, reader=reader)
            queue.nudge(f"{reader}.jobs.publish_events")
    return event


def _subject(action: Action | None) -> dict[str, Any] | None:
    if action is None:
        return None
    return {
        "id": str(action.pk),
        "name": action.name,
        "revision": action.revision,
        "digest": action.digest,
        "status": action.status,
        "summary": action.summary,
    }


def _policy(stream: str, data: dict[str, Any]) -> str:
    """Return which policy decided, or was changed: the strictest reason comes first."""
    if stream.startswith("policy:"):
        return str(data.get("name", ""))
    reasons = data.get("reasons") or [{}]
    return reasons[0].get("policy") or ""
