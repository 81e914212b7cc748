"""Who has taken the story of an action away on paper? That goes on record as well."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from governance import clock, ledger
from governance.ledger import Actor, Kind
from governance.models import Action, Event, User

AGAIN = timedelta(minutes=5)


@transaction.atomic
def print_story(action: Action, person: User) -> None:
    """Put on record that this person opened the story to print. Changes nothing else.

    Who opens it again within five minutes is on record once.
    """
    at = clock.now()
    taken = Event.objects.filter(
        action=action,
        kind=Kind.PRINTED,
        actor_kind="person",
        actor_id=str(person.pk),
        at__gt=at - AGAIN,
    )
    if not taken.exists():
        actor = Actor.person(person)
        ledger.record(Kind.PRINTED, at=at, actor=actor, action=action, via="console")
