"""Who has a right that counts on a request, and who could still use it?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from datetime import datetime

from approvals import routing
from approvals.course import Course
from approvals.models import Delegation
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
    course: Course, counting: Mapping[int, Set[int]], at: datetime
) -> dict[int, list[str]]:
    """Return by stage who could still decide there, by name, in their order.

    Of a person and who stands in for them it names the one in whose queue it lies.
    """
    spent = spoken(course)
    free = {stage: people - spent for stage, people in counting.items()}
    links = _links(set().union(*free.values()), at)
    owner = course.action.agent.owner_id
    known = {*links, *(other for pair in links.items() for other in pair)}
    names = _names(known.union(*free.values()))
    found = {}
    for stage, holders in free.items():
        acting: dict[int, str] = {}
        # Who has a right of their own is named without anybody else's.
        for holder in sorted(holders, key=lambda who: who in links):
            who = _acting(holder, links, spent | {owner or 0})
            own, whose = names[who], names[holder]
            acting.setdefault(who, own if who == holder else f"{own} for {whose}")
        found[stage] = sorted(acting.values())
    return found


def spoken(course: Course) -> set[int]:
    """Return who has decided, and whose right was used for it."""
    people = {key for vote in course.votes for key in (vote.person_id, vote.seat_id)}
    return {key for key in people if key is not None}


def _links(people: Iterable[int], at: datetime) -> dict[int, int]:
    """Return who has handed over to whom, for these and whoever stands in for them."""
    found: dict[int, int] = {}
    latest = set(people)
    while latest:
        rows = Delegation.objects.active(at).filter(person__in=latest).order_by("pk")
        links = dict(rows.values_list("person_id", "to_id"))
        latest = set(links.values()) - links.keys() - found.keys()
        found.update(links)
    return found


def _acting(holder: int, links: Mapping[int, int], barred: Set[int]) -> int:
    """Return in whose queue a holder's work lies: the last of the chain who may."""
    acting, who, seen = holder, holder, {holder}
    while who in links and who not in barred and links[who] not in seen:
        who = links[who]
        seen.add(who)
        acting = acting if who in barred else who
    return acting


def _names(people: Iterable[int]) -> dict[int, str]:
    rows = User.objects.filter(pk__in=people)
    return {user.pk: user.get_username() for user in rows}
