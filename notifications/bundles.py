"""What goes out as one message? One delivery, or what was collected for a digest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import models

from notifications import digests, sending
from notifications.models import Delivery
from notifications.transports.base import Message

# More than these go out with the next digest.
MOST = 50


@dataclass(slots=True)
class Bundle:
    """Deliveries that were claimed together, for one reader on one channel."""

    deliveries: list[Delivery]

    @property
    def first(self) -> Delivery:
        return self.deliveries[0]

    @property
    def keys(self) -> list[int]:
        return [delivery.pk for delivery in self.deliveries]

    def prepare(self) -> Message | None:
        """Return what to send, without what has become needless; None if all of it."""
        told: list[tuple[Delivery, Message]] = []
        for delivery in self.deliveries:
            if message := sending.prepare(delivery):
                told.append((delivery, message))
            else:
                sending.drop(delivery)
        if not told:
            return None
        self.deliveries = [delivery for delivery, _ in told]
        messages = [message for _, message in told]
        return messages[0] if len(messages) == 1 else digests.digest_of(messages)

    def succeed(self, reference: str) -> None:
        for delivery in self.deliveries:
            sending.succeed(delivery, reference)

    def fail(self, error: str, *, permanent: bool = False, wait: float = 0) -> None:
        for delivery in self.deliveries:
            sending.fail(delivery, error, permanent=permanent, wait=wait)


def claim(pk: int, at: datetime) -> Bundle | None:
    """Take this attempt, with what goes along. None: it is not ours to make."""
    first = _due(at).filter(pk=pk).first()
    if first is None:
        return None
    if first.is_exhausted():
        # Every worker that took it died over it.
        sending.fail(first, first.error or "No attempt came to an end.")
        return None
    if not _claim(first, at):
        return None
    others = _due(at).filter(person=first.person_id, channel=first.channel, digest=True)
    along = others.exclude(pk=pk)[: MOST - 1] if first.digest else ()
    return Bundle([first, *(other for other in along if _claim(other, at))])


def _due(at: datetime) -> models.QuerySet[Delivery]:
    return Delivery.objects.due(at).select_related(
        "event__action",
        "person__preference",
        "person__slack_account",
        "place",
        "edits",
    )


def _claim(delivery: Delivery, at: datetime) -> bool:
    if not Delivery.objects.claim(delivery, at):
        return False
    delivery.attempts += 1
    return True
