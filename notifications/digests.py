"""How do several requests of low risk fit into one message?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings
from django.urls import reverse

from notifications.transports.base import Item, Message
from notifications.wording import count


def digest_of(messages: Sequence[Message]) -> Message:
    """Return one message that names them all, each with a way to its own page."""
    title = f"{count(len(messages), 'request')} of low risk waiting for you"
    return replace(
        messages[0],
        title=title,
        headline="Approval needed",
        summary=title,
        body="They were collected, as you have asked for. Nothing of it is urgent.",
        url=f"{settings.PUBLIC_URL}{reverse('admin:approvals_approvalrequest_changelist')}",
        thread="",
        facts=(),
        why=(),
        parameters="",
        words="",
        context="",
        request="",
        digest="",
        items=tuple(_item(message) for message in messages),
        invitation="Read them and decide here (login required):",
        verb="Open the queue",
    )


def _item(message: Message) -> Item:
    facts = dict(message.facts)
    known = [
        f"{label} {facts[label]}" for label in ("Decide by", "Agent") if label in facts
    ]
    return Item(message.summary, ", ".join(known), message.url)
