"""Whom has a message about a request reached by now, and how? For those who look at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from governance.models import Action
from governance.text_safety import visible_line
from notifications.models import CHANNELS, IN_APP, Delivery

# What is older is in the list of deliveries.
MOST = 200
TONES = {
    Delivery.State.SENT: "good",
    Delivery.State.WAITING: "info",
    Delivery.State.FAILED: "bad",
    Delivery.State.DROPPED: "quiet",
}


@dataclass(frozen=True, slots=True)
class Told:
    """How far the latest message to one reader on one channel has come."""

    channel: str
    reader: str
    state: str
    tone: str
    # When it was sent, or will be tried next. None: neither.
    at: datetime | None
    error: str = ""


def told(action: Action, request: UUID) -> list[Told]:
    """Return whom it was told to, the latest word on each channel, oldest first."""
    rows = Delivery.objects.about(action).select_related("event", "person", "place")
    latest = list(rows.order_by("-pk")[:MOST])[::-1]
    about = (each for each in latest if each.event.data.get("request") == str(request))
    return list(_lines(about))


def _lines(deliveries: Iterable[Delivery]) -> Iterator[Told]:
    last: dict[tuple[str, str], Delivery] = {}
    for delivery in deliveries:
        last[delivery.channel, delivery.reader] = delivery
    for delivery in sorted(last.values(), key=lambda each: each.channel != IN_APP):
        yield _line(delivery)


def _line(delivery: Delivery) -> Told:
    state = Delivery.State(delivery.state)
    words, at = _progress(delivery, state)
    failing = state in (Delivery.State.WAITING, Delivery.State.FAILED)
    return Told(
        channel=CHANNELS.get(delivery.channel, delivery.channel),
        reader=visible_line(delivery.reader),
        state=words,
        tone="warn" if failing and delivery.error and at else TONES[state],
        at=at,
        error=visible_line(delivery.error) if failing else "",
    )


def _progress(delivery: Delivery, state: Delivery.State) -> tuple[str, datetime | None]:
    match state:
        case Delivery.State.SENT:
            read = delivery.channel == IN_APP and delivery.read_at
            return ("read", delivery.read_at) if read else ("sent", delivery.sent_at)
        case Delivery.State.WAITING if delivery.error:
            return "failed, retrying", delivery.next_attempt_at
        case Delivery.State.WAITING if delivery.digest:
            return "collected, goes out", delivery.next_attempt_at
        case Delivery.State.WAITING:
            return "waiting, goes out", delivery.next_attempt_at
        case Delivery.State.FAILED:
            return "given up", None
        case _:
            return "not sent: no longer asked", None
