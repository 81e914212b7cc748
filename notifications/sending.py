"""From deliveries to people: what is said now, and how did the attempt end?

A delivery is booked again before each attempt: whatever dies on the way, a message
comes late or twice, but it comes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils.module_loading import import_string

from governance import clock
from governance.ledger import Kind
from governance.models import Event
from governance.text_safety import visible_line
from notifications import announcements, audience, outbox
from notifications.messages import compose, host
from notifications.models import TRANSPORTS, Delivery, DeliveryAttempt
from notifications.routing.addresses import address_of
from notifications.transports.base import DeliveryError, Message, Transport

LONGEST_ERROR = 300
# A provider that asks for more is asked again after this long all the same.
LONGEST_WAIT = timedelta(hours=1)


def transport(channel: str) -> Transport:
    made: Transport = import_string(TRANSPORTS[channel])()
    return made


def send(delivery: Delivery, message: Message) -> str:
    """Have the message sent, or the one before it changed. Return its reference."""
    way = transport(delivery.channel)
    if delivery.edits is None:
        return way.send(message)
    way.edit(delivery.edits.reference, message)
    return delivery.edits.reference


def prepare(delivery: Delivery) -> Message | None:
    """Return the message to send, or None when its reader is no longer concerned."""
    event = delivery.event
    if event.kind in announcements.ANNOUNCED:
        if delivery.person and not delivery.person.is_active:
            return None
        return announcements.compose(delivery, _address(delivery), host())
    request = outbox.request_of(event)
    if request is None or not audience.may_hear(delivery, request):
        return None
    return compose(delivery, _address(delivery), request)


def _address(delivery: Delivery) -> str:
    person = delivery.person
    found = address_of(person, delivery.channel) if person else delivery.address
    if not found:
        raise DeliveryError("This person has no address there.", permanent=True)
    return found


@transaction.atomic
def drop(delivery: Delivery) -> None:
    """Give up on a message that would come too late to be of use."""
    _finish(delivery, state=Delivery.State.DROPPED, error="No longer asked.")


@transaction.atomic
def succeed(delivery: Delivery, reference: str = "") -> None:
    at = clock.now()
    _note(delivery, "")
    if not _finish(
        delivery,
        state=Delivery.State.SENT,
        sent_at=at,
        error="",
        reference=reference[:200],
    ):
        return
    outbox.record(
        Kind.NOTIFIED, delivery.event, delivery.channel, [delivery.reader], at
    )
    delivery.state, delivery.reference = Delivery.State.SENT, reference
    _end_what_has_ended(delivery)


@transaction.atomic
def fail(
    delivery: Delivery, error: str, *, permanent: bool = False, wait: float = 0
) -> None:
    """Note why it failed. The next attempt is booked already, unless it was the last."""
    error = visible_line(error)[:LONGEST_ERROR]
    _note(delivery, error)
    if not permanent and not delivery.is_exhausted():
        _finish(delivery, state=Delivery.State.WAITING, error=error)
        _wait(delivery, wait)
    elif _finish(delivery, state=Delivery.State.FAILED, error=error):
        outbox.record(
            Kind.NOTIFICATION_FAILED,
            delivery.event,
            delivery.channel,
            [delivery.reader],
            clock.now(),
            error=error,
            attempts=delivery.attempts,
        )


def _wait(delivery: Delivery, seconds: float) -> None:
    """Leave the provider alone for as long as it asked, and never come earlier."""
    later = clock.now() + min(timedelta(seconds=seconds), LONGEST_WAIT)
    rows = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.WAITING)
    rows.filter(next_attempt_at__lt=later).update(next_attempt_at=later)


def _note(delivery: Delivery, error: str) -> None:
    DeliveryAttempt.objects.create(
        delivery=delivery,
        number=delivery.attempts,
        ended_at=clock.now(),
        error=error,
    )


def _end_what_has_ended(delivery: Delivery) -> None:
    """Say how it ended, if that happened while this message was on its way."""
    event = delivery.event
    if event.kind not in audience.ASKING:
        return
    later = Event.objects.filter(
        action=event.action_id, kind__in=sorted(audience.SETTLING), pk__gt=event.pk
    )
    for ending in later.order_by("pk"):
        if ending.data.get("request") == event.data.get("request"):
            last = outbox.last_word(ending, delivery, clock.now())
            Delivery.objects.bulk_create([last], ignore_conflicts=True)


def _finish(delivery: Delivery, **values: Any) -> bool:
    """Write the result of an attempt, unless another attempt has ended it already."""
    waiting = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.WAITING)
    return waiting.update(**values) == 1
