"""Every way the rules can change.

Nothing else in the project writes policies, flows, calendars, lookbacks, risk factors,
the catalogue, tests or the default. A change is checked among all other rules, takes
effect with the next submission, and leaves a version and an event of each rule that it
touched. A change that changes nothing leaves nothing. Where two people must agree
(``settings.POLICY_FOUR_EYES``), a change is proposed instead and waits for the second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from governance import clock, locks
from governance.errors import Invalid, Problem, Refused
from governance.models import User
from policies import bodies, changes, checks, proposals, rows, rules, trials
from policies.bodies import State, Subject
from policies.fields import Unfit
from policies.models import ProposedChange, Version
from policies.plan import Plan, between

# From the rules as they are to the rules as somebody wants them.
Wish = Callable[[State], State]

MAX_NOTE = 500


@dataclass(frozen=True, slots=True)
class Done:
    """What a change did: also to groups, which flows create when they name them.

    ``proposed`` is there when it did nothing yet, and waits for a second person.
    """

    plan: Plan
    new_groups: Sequence[str]
    versions: Sequence[Version] = ()
    proposed: ProposedChange | None = None

    @property
    def version(self) -> Version | None:
        """The one new version of a change of one rule."""
        return self.versions[0] if self.versions else None


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
) -> Done:
    """Create or change one rule, given as a policy file would write it.

    Raises ``Invalid`` with a JSON
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

    return change(with_it, author=author, note=note)


def retire(name: str, *, author: User | None = None, note: str = "") -> Done:
    """End a policy. It stays on record, and what it decided stays explained."""
    return remove(Subject.POLICY, name, author=author, note=note)


def remove(
    subject: Subject, name: str, *, author: User | None = None, note: str = ""
) -> Done:
    """Take a rule out of force for good, unless another one needs it."""
    return change(lambda state: without(state, subject, name), author=author, note=note)


def reorder(
    subject: Subject,
    names: Sequence[str],
    *,
    author: User | None = None,
    note: str = "",
) -> Done:
    """Put policies or flows in this order. Those that are not named go last."""

    def in_order(state: State) -> State:
        wanted = bodies.copy(state)
        first = {name: state[subject][name] for name in names if name in state[subject]}
        wanted[subject] = first | state[subject]
        return wanted

    return change(in_order, author=author, note=note)


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
    """Change the rules in one step, or propose to. Raises ``Unfitting``.

    Submissions hold the lock of the rules shared until they commit. Behind it, this
    change has seen all of them, and all that follow see this change.
    """
    if len(note) > MAX_NOTE:
        raise Invalid(f"Write at most {MAX_NOTE} characters of note.")
    locks.exclusive(locks.RULES)
    plan = _plan(wish)
    groups = rows.missing_groups(plan.after)
    if not plan:
        return Done(plan, groups)
    if settings.POLICY_FOUR_EYES:
        return Done(plan, groups, proposed=proposals.propose(plan, author, note))
    return Done(plan, groups, changes.apply(plan, groups, author, note))


@transaction.atomic
def confirm(proposed: ProposedChange, person: User, *, comment: str = "") -> Done:
    """Put a proposed change in force, as the second person.

    Raises ``NotProposed`` when it was decided before, ``OwnChange``, ``MayNotConfirm``,
    ``Stale`` when the rules it was made for have changed since, ``Unfitting``.
    """
    locks.exclusive(locks.RULES)
    proposed = proposals.lock(proposed)
    proposals.check(proposed, person)
    plan = _plan(lambda state: proposals.wish(proposed, state))
    groups = rows.missing_groups(plan.after)
    author, note = proposed.author, proposed.note
    proposals.close(proposed, person, ProposedChange.Outcome.CONFIRMED, comment)
    return Done(plan, groups, changes.apply(plan, groups, author, note, person))


def _plan(wish: Wish) -> Plan:
    before = rows.read_all()
    plan = between(before, wish(before))
    if problems := checks.problems(plan) or trials.problems(plan, clock.now()):
        raise Unfitting(problems)
    return plan
