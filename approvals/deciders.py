"""Who has a right that counts on a request, and who could still use it?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from approvals import routing
from approvals.course import Course
from approvals.models import Delegation, Moment
from governance.models import User


def rightful(course: Course) -> dict[int, set[int]]:
    """Return for each stage, by its key, whose approval counts there at this moment.

    What somebody said in another's place counts for as long as they may speak at all.
    """
    owner = course.action.agent.owner
    members = routing.members(course.stages, owner)
    lent = {
        vote.person_id: vote.seat_id
        for vote in course.votes
        if vote.person_id is not None and vote.person_id != vote.seat_id
    }
    if not lent:
        return members
    active = User.objects.filter(pk__in=lent, is_active=True)
    silent = lent.keys() - set(active.values_list("pk", flat=True))
    if owner:
        silent |= {owner.pk} & lent.keys()
    void = {lent[person] for person in silent}
    return {stage: people - void for stage, people in members.items()}


def deciders(
    course: Course, counting: Mapping[int, Set[int]], at: Moment
) -> dict[int, list[str]]:
    """Return by stage who could still decide there, by name, in their order.

    Of a person and who stands in for them it names the one in whose queue it lies.
    """
    spent = spoken(course)
    free = {stage: people - spent for stage, people in counting.items()}
    holders = set().union(*free.values())
    acting = acting_for(holders, spent, course.action.agent.owner_id, at)
    names = _names({*acting, *acting.values()})
    return {stage: _named(people, acting, names) for stage, people in free.items()}


def _named(
    holders: Set[int], acting: Mapping[int, int], names: Mapping[int, str]
) -> list[str]:
    """Name each once: whoever has a right of their own, without anybody else's."""
    found: dict[int, str] = {}
    for holder in sorted(holders, key=lambda key: acting[key] != key):
        who = acting[holder]
        own, whose = names[who], names[holder]
        found.setdefault(who, own if who == holder else f"{own} for {whose}")
    return sorted(found.values())


def acting_for(
    holders: Set[int], spent: Set[int], owner: int | None, at: Moment
) -> dict[int, int]:
    """Return for each of these people in whose queue their work lies: mostly their own.

    ``spent`` have decided already, ``owner`` may not: with these it does not end up.
    """
    links = _links(holders, at)
    return {holder: _acting(holder, links, spent, owner) for holder in holders}


def spoken(course: Course) -> set[int]:
    """Return who has decided, and whose right was used for it."""
    people = {key for vote in course.votes for key in (vote.person_id, vote.seat_id)}
    return {key for key in people if key is not None}


def _links(people: Iterable[int], at: Moment) -> dict[int, Delegation]:
    """Return who has handed over, of these and of whoever stands in for them."""
    found: dict[int, Delegation] = {}
    latest = set(people)
    while latest:
        rows = Delegation.objects.active(at).filter(person__in=latest).order_by("pk")
        links = {link.person_id: link for link in rows}
        found.update(links)
        latest = {link.to_id for link in links.values()} - found.keys()
    return found


def _acting(
    holder: int, links: Mapping[int, Delegation], spent: Set[int], owner: int | None
) -> int:
    """Return in whose queue a holder's work lies: the last of the chain who may."""
    acting, who, seen = holder, holder, {holder}
    arranged: set[int | None] = set()
    while (link := links.get(who)) and link.to_id not in seen:
        if owner and owner in (link.to_id, link.created_by_id):
            break
        arranged.add(link.created_by_id)
        if link.to_id in arranged:
            break
        who = link.to_id
        seen.add(who)
        acting = acting if who in spent else who
    return acting


def _names(people: Iterable[int]) -> dict[int, str]:
    rows = User.objects.filter(pk__in=people)
    return {user.pk: user.get_username() for user in rows}
