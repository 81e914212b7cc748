"""What can people be told about, in the words in which they choose what to hear?"""

from __future__ import annotations

from django.db import models

from governance.ledger import Kind


class Topic(models.TextChoices):
    """What a message is about. Several kinds of event can be one topic."""

    ASKED = "asked", "A decision is wanted"
    REMINDED = "reminded", "Reminder"
    LATE = "late", "Later than promised"
    ESCALATED = "escalated", "Escalated"
    HELD = "held", "Waiting without a deadline"
    UNREACHABLE = "unreachable", "Nobody can decide"
    DECIDED = "decided", "Approved or rejected"
    CHANGES = "changes", "Changes requested"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"
    BYPASSED = "bypassed", "Went ahead without approval"
    STOPPED = "stopped", "Frozen, or glass broken"
    GOING_ON = "going_on", "Thawed, or break-glass over"
    WEBHOOKS = "webhooks", "An agent cannot be told"
    TROUBLE = "trouble", "Something is stuck"
    MENDED = "mended", "It goes on again"


OF_KIND = {
    Kind.STAGE_OPENED: Topic.ASKED,
    Kind.REASSIGNED: Topic.ASKED,
    Kind.REMINDED: Topic.REMINDED,
    Kind.SLA_BREACHED: Topic.LATE,
    Kind.ESCALATED: Topic.ESCALATED,
    Kind.HELD: Topic.HELD,
    Kind.UNREACHABLE: Topic.UNREACHABLE,
    Kind.APPROVED: Topic.DECIDED,
    Kind.REJECTED: Topic.DECIDED,
    Kind.CHANGES_REQUESTED: Topic.CHANGES,
    Kind.EXPIRED: Topic.EXPIRED,
    Kind.CANCELLED: Topic.CANCELLED,
    Kind.BYPASSED: Topic.BYPASSED,
    Kind.BYPASS_REVIEWED: Topic.BYPASSED,
    Kind.FROZEN: Topic.STOPPED,
    Kind.GLASS_BROKEN: Topic.STOPPED,
    Kind.THAWED: Topic.GOING_ON,
    Kind.GLASS_MENDED: Topic.GOING_ON,
    Kind.WEBHOOK_DISABLED: Topic.WEBHOOKS,
    Kind.TROUBLE_BEGAN: Topic.TROUBLE,
    Kind.TROUBLE_ENDED: Topic.MENDED,
    Kind.WEBHOOK_STUCK: Topic.WEBHOOKS,
}

# Without a rule that says otherwise, these go everywhere people can be reached. The
# others stay in the console, and end the conversations that were begun elsewhere.
LOUD = frozenset(
    {
        Topic.ASKED,
        Topic.REMINDED,
        Topic.LATE,
        Topic.ESCALATED,
        Topic.HELD,
        Topic.UNREACHABLE,
        Topic.STOPPED,
        Topic.WEBHOOKS,
        Topic.TROUBLE,
    }
)


def topic_of(kind: str) -> Topic:
    return OF_KIND[Kind(kind)]
