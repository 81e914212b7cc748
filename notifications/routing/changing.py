"""Every change of who hears what, where and when is one event on the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from governance import clock, ledger
from governance.ledger import Kind
from governance.models import User
from governance.services import by
from notifications.phrasing.models import Phrase
from notifications.routing.models import Place, Preference, Rota, Rule

Thing = Place | Rule | Rota | Preference | Phrase
Told = dict[str, Any]
_HIDDEN = {"id", "person"}


def describe(thing: Thing | None) -> Told:
    """Return what it says, as it is kept: nothing, if there is none."""
    if thing is None or thing.pk is None:
        return {}
    told = {
        field.name: _plain(getattr(thing, field.attname))
        for field in thing._meta.concrete_fields
        if field.name not in _HIDDEN
    }
    if isinstance(thing, Rule):
        told["groups"] = sorted(thing.groups.values_list("name", flat=True))
    if isinstance(thing, Rota):
        turns = thing.turns.values_list("person__username", flat=True)
        told["turns"] = list(turns)
    if isinstance(thing, Place | Rota) and thing.group:
        told["group"] = thing.group.name
    return told


@transaction.atomic
def changed(thing: Thing, before: Told, author: User | None) -> None:
    """Put on record what has changed since ``before``; nothing: no event."""
    _record(thing, before, describe(thing), author)


@transaction.atomic
def remove(thing: Thing, author: User | None) -> None:
    """Take it away. What was sent by it stays on record."""
    _record(thing, describe(thing), {}, author)
    thing.delete()


@transaction.atomic
def prefer(wanted: Preference) -> None:
    """Keep what one person wants to hear. Raises ``ValidationError``."""
    rows = Preference.objects.select_for_update()
    before = describe(rows.filter(person=wanted.person).first())
    wanted.full_clean(validate_unique=False)
    wanted.save()
    _record(wanted, before, describe(wanted), wanted.person)


def _record(
    thing: Thing,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    author: User | None,
) -> None:
    if before == after:
        return
    names = dict.fromkeys([*before, *after])
    ledger.record(
        Kind.ROUTING_CHANGED,
        at=clock.now(),
        actor=by(author),
        stream=f"routing:{thing._meta.model_name}:{thing.pk}",
        what=str(thing._meta.verbose_name),
        name=str(thing),
        removed=not after,
        changes={
            name: {"old": before.get(name), "new": after.get(name)}
            for name in names
            if before.get(name) != after.get(name)
        },
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | str | list | None) else str(value)
