"""Where two people must agree on the rules: what one proposes, another confirms.

A proposal takes effect on the rules it was made for, or not at all: what somebody read
before they confirmed is what happens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from governance import clock, ledger
from governance.errors import Invalid, Refused
from governance.ledger import Actor, Kind
from governance.models import User
from policies import bodies, rows
from policies.bodies import State, Subject
from policies.models import ProposedChange
from policies.plan import Change, Plan, merged, same

CONFIRM = "policies.confirm_proposedchange"
MAX_COMMENT = 500

Outcome = ProposedChange.Outcome


class NoAuthor(Invalid):
    code = "author_required"


class NotProposed(Refused):
    code = "already_decided"


class OwnChange(Refused):
    code = "own_change"
    status = 403


class MayNotConfirm(Refused):
    code = "not_allowed"
    status = 403


class Stale(Refused):
    code = "changed"


def propose(plan: Plan, author: User | None, note: str) -> ProposedChange:
    """Put a change before a second person. The rules stay as they are."""
    if author is None:
        raise NoAuthor(
            "Two people must agree on a change of the rules: say who proposes it."
        )
    proposed = ProposedChange.objects.create(
        author=author,
        note=note,
        changes=[[str(c.subject), c.name, c.before, c.after] for c in plan.changes],
        orders=dict(_orders(plan)),
        created_at=clock.now(),
    )
    _record(Kind.CHANGE_PROPOSED, proposed, author, lines=lines(proposed))
    return proposed


def _orders(plan: Plan) -> Iterable[tuple[str, list[str]]]:
    for subject in rows.ORDERED:
        names = list(plan.after[subject])
        if names != list(plan.before[subject]):
            yield str(subject), names


def changes(proposed: ProposedChange) -> list[Change]:
    return [
        Change(Subject(subject), name, before, after)
        for subject, name, before, after in proposed.changes
    ]


def lines(proposed: ProposedChange) -> list[str]:
    """Say in words what it would change."""
    told = [line for change in changes(proposed) for line in change.lines]
    orders = (
        f"~ order of {Subject(subject).label.lower()}: {', '.join(names)}"
        for subject, names in proposed.orders.items()
    )
    return [*told, *orders]


def wish(proposed: ProposedChange, state: State) -> State:
    """Return the rules with the change in them. Raises ``Stale``."""
    wanted = bodies.copy(state)
    if gone := list(overtaken(proposed, state)):
        raise Stale(
            f"The rules have changed since: {', '.join(gone)}. Propose it anew."
        )
    for change in changes(proposed):
        if change.after is None:
            del wanted[change.subject][change.name]
        else:
            wanted[change.subject][change.name] = change.after
    for name, names in proposed.orders.items():
        subject = Subject(name)
        known = [each for each in names if each in wanted[subject]]
        order = merged(wanted[subject], known)
        wanted[subject] = {each: wanted[subject][each] for each in order}
    return wanted


def overtaken(proposed: ProposedChange, state: State) -> Iterable[str]:
    """Yield the rules that are no longer what the proposal found."""
    for change in changes(proposed):
        found = state[change.subject].get(change.name)
        if not same(found, change.before):
            yield f"{change.subject.label.lower()} {change.name}"


def lock(proposed: ProposedChange) -> ProposedChange:
    rows = ProposedChange.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("author").get(pk=proposed.pk)


def check(proposed: ProposedChange, person: User) -> None:
    """Refuse anybody who may not confirm or decline this, here and now."""
    _check_open(proposed)
    if person.pk == proposed.author_id:
        raise OwnChange("You proposed this change: somebody else has to confirm it.")
    if not (person.is_active and person.has_perm(CONFIRM)):
        raise MayNotConfirm("You may not confirm changes of the rules.")


def _check_open(proposed: ProposedChange) -> None:
    if proposed.outcome:
        by = f" by {proposed.decided_by}" if proposed.decided_by else ""
        raise NotProposed(f"This change was {proposed.outcome}{by} before.")


@transaction.atomic
def decline(proposed: ProposedChange, person: User, *, comment: str = "") -> None:
    """Turn a change down, as the second person."""
    proposed = lock(proposed)
    check(proposed, person)
    close(proposed, person, Outcome.DECLINED, comment)


@transaction.atomic
def withdraw(proposed: ProposedChange, person: User, *, comment: str = "") -> None:
    """Take back what one proposed oneself."""
    proposed = lock(proposed)
    _check_open(proposed)
    if person.pk != proposed.author_id:
        raise MayNotConfirm("Only who proposed a change can withdraw it.")
    close(proposed, person, Outcome.WITHDRAWN, comment)


def close(
    proposed: ProposedChange, person: User, outcome: Outcome, comment: str
) -> None:
    if len(comment) > MAX_COMMENT:
        raise Invalid(f"Keep it under {MAX_COMMENT} characters.", code="too_long")
    proposed.outcome, proposed.comment = outcome, comment
    proposed.decided_by, proposed.decided_at = person, clock.now()
    proposed.save(update_fields=["outcome", "comment", "decided_by", "decided_at"])
    confirmed = outcome == Outcome.CONFIRMED
    kind = Kind.CHANGE_CONFIRMED if confirmed else Kind.CHANGE_DECLINED
    _record(kind, proposed, person, outcome=str(outcome), comment=comment)


def _record(kind: Kind, proposed: ProposedChange, person: User, **data: Any) -> None:
    ledger.record(
        kind,
        at=clock.now(),
        actor=Actor.person(person),
        stream=f"rules:change:{proposed.pk}",
        change=proposed.pk,
        author=proposed.author.get_username(),
        note=proposed.note,
        **data,
    )
