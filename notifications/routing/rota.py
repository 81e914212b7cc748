"""Whose turn is it? Who of the people asked hears first, where a group takes turns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from governance.models import User
from notifications.routing.models import Rota


def on_call(rota: Rota, at: datetime, people: set[int]) -> int | None:
    """Return whose turn it is of these people: who is next, if somebody is away."""
    order = [turn.person_id for turn in rota.turns.all()]
    if not order:
        return None
    first = rota.turn_at(at) % len(order)
    turns = [*order[first:], *order[:first]]
    return next((person for person in turns if person in people), None)


def off_duty(groups: Iterable[str], people: Iterable[User], at: datetime) -> set[int]:
    """Return who has no turn now, by none of these groups.

    Nobody is off duty in a group without a rota, or in one whose rota is on holiday as
    a whole: then all of them hear.
    """
    names, able = set(groups), {person.pk for person in people}
    rotas = Rota.objects.filter(group__name__in=names).select_related("group")
    calls = {
        rota.group.name: on_call(rota, at, able)
        for rota in rotas.prefetch_related("turns")
    }
    members = User.groups.through.objects.filter(user__in=able, group__name__in=names)
    called: set[int] = set()
    for person, group in members.values_list("user", "group__name"):
        if calls.get(group) in (None, person):
            called.add(person)
    return able - called if called else set()
