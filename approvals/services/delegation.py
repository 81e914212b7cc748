"""A person hands their queue to another for a time, and takes it back.

Both people's rows are locked, in the order of their keys, as deciding locks whose right
it uses: no vote commits after a delegation that was taken back.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from approvals.errors import NotAllowed
from approvals.models import Delegation
from governance import clock, ledger, locks, words
from governance.errors import Invalid
from governance.ledger import Kind
from governance.models import User
from governance.services import by

LONGEST = timedelta(days=90)
MAX_REASON = 500
FOR_OTHERS = "approvals.delegate_for_others"
# Held by whoever hands over: so that no two of them close a loop together.
LOCK = "delegations"


@transaction.atomic
def delegate(
    person: User,
    to: User,
    *,
    ends_at: datetime,
    starts_at: datetime | None = None,
    reason: str = "",
    author: User | None = None,
) -> Delegation:
    """Let ``to`` decide in place of ``person`` from ``starts_at`` to ``ends_at``.

    Without ``starts_at`` it begins at once. ``author`` is who asks for it, None for an
    operator at a terminal; for somebody else it takes a permission.
    """
    locks.exclusive(LOCK)
    person, to = _locked(person, to)
    at = clock.now()
    # In whole seconds: what begins at once has begun by every clock that is asked.
    starts_at = max(starts_at or at, at).replace(microsecond=0)
    if author and author.pk != person.pk:
        _check_author(author, to)
    _check_people(person, to)
    _check_times(starts_at, ends_at, at)
    _check_reason(reason)
    _check_overlap(person, starts_at, ends_at)
    if leads_to(to, person, starts_at, ends_at):
        raise Invalid(
            f"{to} has handed over in that time, and it would come back to {person}.",
            code="delegation_loop",
        )
    if author and author.pk != person.pk and leads_to(to, author, starts_at, ends_at):
        raise NotAllowed("You cannot hand somebody else's queue to yourself.")

    delegation = Delegation.objects.create(
        person=person,
        to=to,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=reason.strip(),
        created_by=author,
        created_at=at,
    )
    _record(Kind.DELEGATED, delegation, author, at)
    return delegation


@transaction.atomic
def end_delegation(delegation: Delegation, author: User | None = None) -> Delegation:
    """Take it back before its time, or before it begins. Twice is the same as once."""
    _locked(delegation.person, delegation.to)
    delegation = Delegation.objects.select_related("person", "to").get(pk=delegation.pk)
    if author and not may_end(delegation, author):
        raise NotAllowed("Only those it concerns can end this.")
    at = clock.now()
    if delegation.is_over(at):
        return delegation
    delegation.ended_at, delegation.ended_by = at, author
    delegation.save(update_fields=["ended_at", "ended_by"])
    _record(Kind.DELEGATION_ENDED, delegation, author, at)
    return delegation


def may_end(delegation: Delegation, person: User) -> bool:
    """Whether this person may end it: who handed over, who stands in, who set it up."""
    concerned = (delegation.person_id, delegation.to_id, delegation.created_by_id)
    return person.is_active and (person.pk in concerned or person.has_perm(FOR_OTHERS))


def leads_to(start: User, goal: User, begin: datetime, end: datetime) -> bool:
    """Whether what is handed to ``start`` in this time reaches ``goal`` at any moment."""
    ahead = [(start.pk, begin, end)]
    seen = set(ahead)
    while ahead:
        who, begin, end = ahead.pop()
        if who == goal.pk:
            return True
        for link in _within(who, begin, end):
            further = (link.to_id, max(begin, link.starts_at), min(end, link.ends_at))
            if further not in seen:
                seen.add(further)
                ahead.append(further)
    return False


def _within(person: int, begin: datetime, end: datetime) -> QuerySet[Delegation]:
    """Return what a person hands over in this time, or in a part of it."""
    return Delegation.objects.filter(
        person=person, ended_at=None, starts_at__lt=end, ends_at__gt=begin
    )


def _locked(person: User, to: User) -> tuple[User, User]:
    """Wait for whoever is deciding with these rights now. Return both, read anew."""
    rows = User.objects.select_for_update(no_key=True).filter(pk__in=(person.pk, to.pk))
    found = {user.pk: user for user in rows.order_by("pk")}
    return found[person.pk], found[to.pk]


def _check_author(author: User, to: User) -> None:
    if not author.is_active or not author.has_perm(FOR_OTHERS):
        raise NotAllowed("You can hand over your own queue only.")
    if author.pk == to.pk:
        raise NotAllowed("You cannot hand somebody else's queue to yourself.")


def _check_people(person: User, to: User) -> None:
    if person.pk == to.pk:
        raise Invalid("Choose somebody else.", code="delegation_to_self")
    for who in (person, to):
        if not who.is_active or not who.is_staff:
            raise Invalid(f"{who} cannot log in here.", code="delegation_person")


def _check_times(starts_at: datetime, ends_at: datetime, at: datetime) -> None:
    if ends_at <= starts_at:
        raise Invalid("It has to end after it begins.", code="delegation_times")
    if starts_at - at > LONGEST or ends_at - starts_at > LONGEST:
        raise Invalid(
            f"It can begin {LONGEST.days} days from now at most, and last "
            f"{LONGEST.days} days.",
            code="delegation_times",
        )


def _check_reason(reason: str) -> None:
    if len(reason) > MAX_REASON:
        raise Invalid(f"Keep it under {MAX_REASON} characters.", code="too_long")


def _check_overlap(person: User, begin: datetime, end: datetime) -> None:
    other = _within(person.pk, begin, end).select_related("to").first()
    if other:
        raise Invalid(
            f"{person} has handed over to {other.to} until "
            f"{words.moment(other.ends_at)}. End that first.",
            code="delegation_overlap",
        )


def _record(
    kind: Kind, delegation: Delegation, author: User | None, at: datetime
) -> None:
    person, to = delegation.person, delegation.to
    ledger.record(
        kind,
        at=at,
        actor=by(author),
        stream=f"user:{person.get_username()}"[:120],
        delegation=delegation.pk,
        person=person.get_username(),
        to=to.get_username(),
        starts_at=delegation.starts_at.isoformat(),
        ends_at=delegation.ends_at.isoformat(),
        reason=delegation.reason,
    )
