"""From events to deliveries, and from deliveries to people.

An event's pending row becomes deliveries in the transaction that takes it away, and a
delivery is booked again before each attempt: whatever dies on the way, a message comes
late or twice, but it comes.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.module_loading import import_string

from approvals.models import ApprovalRequest
from governance import clock, ledger
from governance.ledger import SYSTEM, Kind
from governance.models import Event, PendingEvent, User
from governance.text_safety import visible_line
from notifications import announcements, audience
from notifications.messages import compose, host
from notifications.models import EMAIL, IN_APP, TRANSPORTS, Delivery
from notifications.transports.base import DeliveryError, Message, Transport

READER = "notifications"
LONGEST_ERROR = 300

logger = logging.getLogger(__name__)


# From events to deliveries


@transaction.atomic
def publish(pending: int) -> bool:
    """Turn one event into deliveries. False when somebody else took it."""
    rows = PendingEvent.objects.select_for_update(skip_locked=True, of=("self",))
    taken = rows.select_related("event").filter(pk=pending, reader=READER).first()
    if taken is None:
        return False

    event = taken.event
    taken.delete()
    request = request_of(event)
    if event.kind in announcements.ANNOUNCED:
        _send(event, announcements.hearing(event), event.kind in announcements.LOUD)
        return True
    if request is None:
        # Nobody was ever asked about it.
        return True
    if event.kind in (Kind.VIEWED, Kind.VOTED):
        _mark_read(event)
    else:
        _tell(event, request)
    return True


def request_of(event: Event) -> ApprovalRequest | None:
    """Return the request that an event is about, with what messages say of it."""
    rows = ApprovalRequest.objects.select_related("action__agent__owner")
    asked = event.data.get("request")
    return rows.filter(pk=asked).first() if asked else None


def _tell(event: Event, request: ApprovalRequest) -> None:
    if event.kind in audience.ASKING and request.broken_glass_id:
        # It has gone ahead: nobody's answer is wanted any more.
        return
    people = audience.hearing(event, request)
    if event.kind in audience.ASKING and not people:
        _cry_for_help(event, request)
    _send(event, people, event.kind not in audience.SETTLING)


def _send(event: Event, people: set[User], loud: bool) -> None:
    """Create what has not been created yet: in the console, and loud by mail, too."""
    known = set(event.deliveries.values_list("person_id", flat=True))
    new = sorted((p for p in people if p.pk not in known), key=lambda p: p.pk)
    if not new:
        return

    at = clock.now()
    deliveries = [_in_app(event, person, at) for person in new]
    if loud:
        deliveries += [_email(event, person, at) for person in new if person.email]
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    _record(Kind.NOTIFIED, event, IN_APP, new, at)


def _in_app(event: Event, person: User, at: datetime) -> Delivery:
    """The row is the message: it has arrived when it is there."""
    sent = Delivery.State.SENT
    return Delivery(
        event=event,
        channel=IN_APP,
        person=person,
        state=sent,
        next_attempt_at=at,
        sent_at=at,
    )


def _email(event: Event, person: User, at: datetime) -> Delivery:
    return Delivery(event=event, channel=EMAIL, person=person, next_attempt_at=at)


def _cry_for_help(event: Event, request: ApprovalRequest) -> None:
    """Put on record, once per stage, that nobody can be asked: administrators hear."""
    name = event.data["stage"]
    cries = Event.objects.filter(action=request.action, kind=Kind.UNREACHABLE)
    for cry in cries:
        if (cry.data["request"], cry.data["stage"]) == (str(request.pk), name):
            return
    stage = request.stages.filter(name=name).first()
    ledger.record(
        Kind.UNREACHABLE,
        at=clock.now(),
        actor=SYSTEM,
        action=request.action,
        request=str(request.pk),
        stage=name,
        needed=stage.needed if stage else 1,
        able=0,
    )


def _mark_read(event: Event) -> None:
    """Whoever has seen the request has heard what there was to hear of it by then."""
    if event.actor_kind != "person":
        # Silence voted: nobody has seen anything.
        return
    seen = Delivery.objects.filter(
        channel=IN_APP, person=int(event.actor_id), read_at=None
    )
    before = seen.filter(event__action=event.action_id, event__at__lte=event.at)
    before.update(read_at=event.at)


# From deliveries to people


def transport(channel: str) -> Transport:
    made: Transport = import_string(TRANSPORTS[channel])()
    return made


def prepare(delivery: Delivery) -> Message | None:
    """Return the message to send, or None when its reader is no longer concerned."""
    event, person = delivery.event, delivery.person
    if event.kind in announcements.ANNOUNCED:
        return _announcement(delivery)
    request = request_of(event)
    if request is None or not audience.may_hear(person, event, request):
        return None
    if not person.email:
        raise DeliveryError("This person has no e-mail address.", permanent=True)
    return compose(delivery, request)


def _announcement(delivery: Delivery) -> Message | None:
    person = delivery.person
    if not person.is_active:
        return None
    if not person.email:
        raise DeliveryError("This person has no e-mail address.", permanent=True)
    return announcements.compose(delivery, host())


@transaction.atomic
def drop(delivery: Delivery) -> None:
    """Give up on a message that would come too late to be of use."""
    _finish(delivery, state=Delivery.State.DROPPED, error="No longer asked.")


@transaction.atomic
def succeed(delivery: Delivery) -> None:
    at = clock.now()
    if _finish(delivery, state=Delivery.State.SENT, sent_at=at, error=""):
        people = [delivery.person]
        _record(Kind.NOTIFIED, delivery.event, delivery.channel, people, at)


@transaction.atomic
def fail(delivery: Delivery, error: str, *, permanent: bool = False) -> None:
    """Note why it failed. The next attempt is booked already, unless it was the last."""
    error = visible_line(error)[:LONGEST_ERROR]
    if not permanent and not delivery.is_exhausted():
        _finish(delivery, state=Delivery.State.WAITING, error=error)
    elif _finish(delivery, state=Delivery.State.FAILED, error=error):
        channel, people = delivery.channel, [delivery.person]
        _record(
            Kind.NOTIFICATION_FAILED,
            delivery.event,
            channel,
            people,
            clock.now(),
            error=error,
            attempts=delivery.attempts,
        )


def _finish(delivery: Delivery, **values: Any) -> bool:
    """Write the result of an attempt, unless another attempt has ended it already."""
    waiting = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.WAITING)
    return waiting.update(**values) == 1


def _record(
    kind: Kind,
    event: Event,
    channel: str,
    people: list[User],
    at: datetime,
    **data: Any,
) -> None:
    ledger.record(
        kind,
        at=at,
        actor=SYSTEM,
        action=event.action,
        stream="" if event.action else event.stream,
        request=event.data.get("request"),
        about=event.kind,
        event=event.pk,
        channel=channel,
        people=[person.get_username() for person in people],
        **data,
    )
