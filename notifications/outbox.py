"""From events to deliveries: who is told, by which ways?

An event's pending row becomes deliveries in the transaction that takes it away. How
they get to people is ``notifications.sending``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from approvals.models import ApprovalRequest
from governance import clock, ledger
from governance.ledger import SYSTEM, Kind
from governance.models import Event, PendingEvent, User
from notifications import announcements, audience
from notifications.models import IN_APP, SLACK, Delivery, Place
from notifications.routing import ways
from notifications.routing.addresses import address_of, is_set_up, wanted
from notifications.routing.rota import off_duty
from notifications.routing.ways import Case, Route
from notifications.topics import Topic, topic_of
from notifications.webhooks import messages as webhooks

READER = "notifications"
# Where a message that was sent can be changed.
EDITABLE = (SLACK,)


@transaction.atomic
def publish(pending: int) -> bool:
    """Turn one event into deliveries. False when somebody else took it."""
    rows = PendingEvent.objects.select_for_update(skip_locked=True, of=("self",))
    taken = rows.select_related("event").filter(pk=pending, reader=READER).first()
    if taken is None:
        return False

    event = taken.event
    taken.delete()
    webhooks.tell(event)
    request = request_of(event)
    if event.kind in announcements.ANNOUNCED:
        _announce(event)
        return True
    if request is None or event.kind == Kind.JUDGED_AGAIN:
        # Nobody was ever asked about it, or the stages that open are what people hear.
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
    case = _case(event, request)
    way = ways.route(case)
    if event.kind in audience.SETTLING:
        _send(event, people, case, frozenset())
        _end_conversations(event, request, way)
        return
    quiet = off_duty(case.groups, people, event.at) if _is_new(event) else set()
    _send(event, people, case, way.channels, quiet)
    if way.places and event.kind in audience.ASKING:
        _post(event, ways.places(case.groups))


def _is_new(event: Event) -> bool:
    return topic_of(event.kind) == Topic.ASKED


def _case(event: Event, request: ApprovalRequest) -> Case:
    return Case(
        topic_of(event.kind),
        request.action.name,
        frozenset(event.data.get("groups") or audience.groups_asked(request)),
        request.risk,
    )


def _announce(event: Event) -> None:
    case = Case(topic_of(event.kind))
    people, way = announcements.hearing(event), ways.route(case)
    # What a channel suffers from is told on the others.
    broken = event.data.get("channel", "")
    _send(event, people, case, way.channels - {broken})
    if way.places:
        _post(event, list(_announced_at(event).exclude(channel=broken)))


def _announced_at(event: Event) -> QuerySet[Place]:
    """Return where it is told: what is the operators' own, at their places alone."""
    found = Place.objects.filter(is_active=True)
    own = event.kind in announcements.OPERATING
    return found.filter(group=None) if own else found


def _send(
    event: Event,
    people: set[User],
    case: Case,
    channels: frozenset[str],
    quiet: Collection[int] = (),
) -> None:
    """Create what has not been created yet: in the console, and on these channels.

    Those who are ``quiet`` now hear in the console alone, unless nobody else can be
    reached: whose turn it is may have muted everything.
    """
    known = set(event.deliveries.values_list("person_id", flat=True))
    fresh = {person.pk for person in people} - known
    rows = User.objects.filter(pk__in=fresh).order_by("pk")
    new = list(rows.select_related("preference", "slack_account"))
    if not new:
        return

    at = clock.now()
    deliveries = [_in_app(event, person, at) for person in new]
    loud = [person for person in new if person.pk not in quiet]
    told = _all_elsewhere(event, loud, case, channels, at)
    deliveries += told or _all_elsewhere(event, new, case, channels, at)
    Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    record(Kind.NOTIFIED, event, IN_APP, [p.get_username() for p in new], at)


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


def _all_elsewhere(
    event: Event,
    people: Collection[User],
    case: Case,
    channels: frozenset[str],
    at: datetime,
) -> list[Delivery]:
    return [
        delivery
        for person in people
        for delivery in _elsewhere(event, person, case, channels, at)
    ]


def _elsewhere(
    event: Event, person: User, case: Case, channels: frozenset[str], at: datetime
) -> list[Delivery]:
    return [
        Delivery(
            event=event,
            channel=way.channel,
            person=person,
            next_attempt_at=way.at,
            digest=way.digest,
        )
        for way in ways.ways(case, channels, wanted(person), at)
        if address_of(person, way.channel)
    ]


def _post(event: Event, places: list[Place]) -> None:
    at = clock.now()
    Delivery.objects.bulk_create(
        [
            Delivery(
                event=event,
                channel=place.channel,
                place=place,
                address=place.address,
                next_attempt_at=at,
            )
            for place in places
            if is_set_up(place.channel)
        ],
        ignore_conflicts=True,
    )


def _end_conversations(event: Event, request: ApprovalRequest, way: Route) -> None:
    """Say how it ended, wherever it was talked about: once in each conversation.

    Where a message can be changed, each one is, or it would go on asking; elsewhere the
    last word is one more, for which there may be a rule.
    """
    at = clock.now()
    told = {
        _conversation(delivery): last_word(event, delivery, at)
        for delivery in _talk_of(request)
        if _is_editable(delivery) or not way.ruled or delivery.channel in way.channels
    }
    Delivery.objects.bulk_create(told.values(), ignore_conflicts=True)


def _talk_of(request: ApprovalRequest) -> Iterator[Delivery]:
    """Yield what was said about a request outside of the console."""
    rows = Delivery.objects.about(request.action).select_related("event")
    sent = rows.filter(state=Delivery.State.SENT, edits=None).exclude(channel=IN_APP)
    for delivery in sent.order_by("pk"):
        kind = delivery.event.kind
        if kind in audience.ASKING and _is_about(delivery.event, request):
            yield delivery


def _is_about(event: Event, request: ApprovalRequest) -> bool:
    return bool(event.data.get("request") == str(request.pk))


def _conversation(delivery: Delivery) -> tuple[object, ...]:
    if delivery.channel in EDITABLE:
        return (delivery.pk,)
    return delivery.channel, delivery.person_id, delivery.address


def last_word(event: Event, delivery: Delivery, at: datetime) -> Delivery:
    """Return the message that says how it ended where this one has asked."""
    return Delivery(
        event=event,
        channel=delivery.channel,
        person_id=delivery.person_id,
        place_id=delivery.place_id,
        address=delivery.address,
        edits=delivery if _is_editable(delivery) else None,
        next_attempt_at=at,
    )


def _is_editable(delivery: Delivery) -> bool:
    return delivery.channel in EDITABLE and bool(delivery.reference)


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


def record(
    kind: Kind,
    event: Event,
    channel: str,
    people: list[str],
    at: datetime,
    **data: Any,
) -> None:
    """Put on record who was, or could not be, told of an event."""
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
        people=people,
        **data,
    )
