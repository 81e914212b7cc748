"""Every way the rules can change.

Nothing else in the project writes policies, flows, lookbacks, risk factors, the
catalogue or the default. A change is checked among all other rules, takes effect with
the next submission, and leaves a version and an event of each rule that it touched. A
change that changes nothing leaves nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max

from governance import clock, ledger, locks
from governance.errors import Invalid, Problem, Refused
from governance.ledger import Kind
from governance.models import User
from governance.services import by
from policies import bodies, checks, lookbacks, rows, rules, rulesets
from policies.bodies import State, Subject
from policies.fields import Unfit
from policies.models import Revision, RuleSet, Version
from policies.plan import Change, Plan, Reordering, between

# From the rules as they are to the rules as somebody wants them.
Wish = Callable[[State], State]

MAX_NOTE = 500
_STREAM_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Done:
    """What a change did: also to groups, which flows create when they name them."""

    plan: Plan
    new_groups: Sequence[str]
    versions: Sequence[Version]


class Unfitting(Invalid):
    """Rules that do not fit together, with the problems of each."""

    code = "rules_do_not_fit"

    def __init__(self, places: dict[checks.Place, list[Problem]]) -> None:
        errors = [problem for problems in places.values() for problem in problems]
        super().__init__(errors[0].detail, errors=errors)
        self.places = places


class UnknownRule(Refused):
    code = "unknown_rule"
    status = 404


class InUse(Refused):
    code = "rule_in_use"


def save(
    subject: Subject, raw: Any, *, author: User | None = None, note: str = ""
) -> Version | None:
    """Create or change one rule, given as a policy file would write it.

    Return its new version, None if nothing changed. Raises ``Invalid`` with a JSON
    pointer into ``raw`` for each problem. What is new goes behind the others.
    """
    try:
        body = bodies.read(subject, raw)
    except Unfit as unfit:
        raise Invalid(unfit.problems[0].detail, errors=unfit.problems) from None

    def with_it(state: State) -> State:
        wanted = bodies.copy(state)
        wanted[subject][bodies.name_of(subject, body)] = body
        return wanted

    return _version_of(change(with_it, author=author, note=note))


def retire(name: str, *, author: User | None = None, note: str = "") -> Version | None:
    """End a policy. It stays on record, and what it decided stays explained."""
    return _version_of(
        change(
            lambda state: without(state, Subject.POLICY, name), author=author, note=note
        )
    )


def remove(
    subject: Subject, name: str, *, author: User | None = None, note: str = ""
) -> Version | None:
    """Take a rule out of force for good, unless another one needs it."""
    return _version_of(
        change(lambda state: without(state, subject, name), author=author, note=note)
    )


def reorder(
    subject: Subject,
    names: Sequence[str],
    *,
    author: User | None = None,
    note: str = "",
) -> None:
    """Put policies or flows in this order. Those that are not named go last."""

    def in_order(state: State) -> State:
        wanted = bodies.copy(state)
        first = {name: state[subject][name] for name in names if name in state[subject]}
        wanted[subject] = first | state[subject]
        return wanted

    change(in_order, author=author, note=note)


def without(state: State, subject: Subject, name: str) -> State:
    """Return the rules without this one: retired if it is a policy, else gone."""
    if name not in state[subject]:
        raise UnknownRule(f"There is no {subject.label.lower()} {name}.")
    wanted = bodies.copy(state)
    if subject is Subject.POLICY:
        retired = {**state[subject][name], "mode": str(rules.Mode.RETIRED)}
        wanted[subject][name] = retired
    elif users := list(checks.users_of(subject, name, state)):
        raise InUse(f"{name} is still used by {', '.join(users)}.")
    else:
        del wanted[subject][name]
    return wanted


def preview(wish: Wish) -> Plan:
    """Return what ``change`` would do, checked alike. Nothing is written or locked."""
    return _plan(wish)


@transaction.atomic
def change(wish: Wish, *, author: User | None = None, note: str = "") -> Done:
    """Change the rules in one step. Raises ``Unfitting``.

    Submissions hold the lock of the rules shared until they commit. Behind it, this
    change has seen all of them, and all that follow see this change.
    """
    if len(note) > MAX_NOTE:
        raise Invalid(f"Write at most {MAX_NOTE} characters of note.")
    locks.exclusive(locks.RULES)
    plan = _plan(wish)
    groups = rows.missing_groups(plan.after)
    return Done(plan, groups, _apply(plan, groups, author, note) if plan else [])


def _plan(wish: Wish) -> Plan:
    before = rows.read_all()
    plan = between(before, wish(before))
    if problems := checks.problems(plan):
        raise Unfitting(problems)
    return plan


def _apply(
    plan: Plan, groups: Sequence[str], author: User | None, note: str
) -> list[Version]:
    rows.create_groups(groups)
    numbers = _numbers(plan)
    revision = _next_revision(plan, author, note)
    versions = [_put(each, numbers, revision) for each in plan.changes]
    for subject in rows.ORDERED:
        rows.write_order(subject, list(plan.after[subject]))
    for reordering in plan.reorderings:
        _record_order(reordering, author, note)
    return versions


def _next_revision(plan: Plan, author: User | None, note: str) -> Revision:
    rules, _ = RuleSet.objects.get_or_create(pk=1)
    rules.revision += 1
    rules.stamp = uuid.uuid4()
    rules.save(update_fields=["revision", "stamp"])
    return Revision.objects.create(
        number=rules.revision,
        author=author,
        note=note,
        orders={str(subject): list(plan.after[subject]) for subject in rows.ORDERED},
        created_at=clock.now(),
    )


def _numbers(plan: Plan) -> dict[checks.Place, int]:
    """Return the last version number of every rule the plan touches."""
    subjects = {str(each.subject) for each in plan.changes}
    last = Version.objects.filter(subject__in=subjects).order_by()
    found = last.values_list("subject", "name").annotate(number=Max("number"))
    return {(Subject(subject), name): number for subject, name, number in found}


def _put(each: Change, numbers: dict[checks.Place, int], revision: Revision) -> Version:
    number = numbers.get((each.subject, each.name), 0) + 1
    version = Version.objects.create(
        revision=revision,
        subject=each.subject,
        name=each.name,
        number=number,
        body=each.after,
    )
    if each.after is not None:
        rows.write(each.subject, each.after, number)
    elif each.before is not None:
        rows.remove(each.subject, each.before)
    if each.subject is Subject.LOOKBACK and _counts_anew(each):
        lookbacks.rebuild(rulesets.lookback(each.after or {}), clock.now())
    _record(each, number, revision)
    return version


def _counts_anew(each: Change) -> bool:
    return each.after is not None and any(
        change.field != "name" for change in each.fields
    )


def _record(each: Change, number: int, revision: Revision) -> None:
    ledger.record(
        Kind.POLICY_CHANGED,
        at=clock.now(),
        actor=by(revision.author),
        stream=f"{each.subject}:{each.name}"[:_STREAM_LENGTH],
        subject=str(each.subject),
        name=each.name,
        version=number,
        mode=(each.after or {}).get("mode"),
        removed=each.after is None,
        changes={
            change.field: {"old": change.old, "new": change.new}
            for change in each.fields
        },
        note=revision.note,
        revision=revision.number,
    )


def _record_order(moved: Reordering, author: User | None, note: str) -> None:
    ledger.record(
        Kind.POLICY_CHANGED,
        at=clock.now(),
        actor=by(author),
        stream=f"{moved.subject}:order",
        subject=str(moved.subject),
        changes={"order": {"old": list(moved.before), "new": list(moved.after)}},
        note=note,
    )


def _version_of(done: Done) -> Version | None:
    return done.versions[0] if done.versions else None
