"""What is stopped, and what is let through without approval, here and now?

Both are read under the lock of the rules, which submitting and consuming hold shared
and whoever freezes, or mends the glass, holds alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import Permission
from django.db import transaction
from django.db.models import Q

from approvals.models import BreakGlass
from governance import clock, ledger
from governance.errors import Refused
from governance.ledger import Actor, Kind
from governance.models import Agent, Freeze, User
from policies import patterns

BREAK = "break_glass"


class Frozen(Refused):
    code = "frozen"
    status = 403


def check(action_name: str) -> None:
    """Refuse if somebody has frozen this kind of action, and say who and why.

    Call it in the transaction that holds the lock of the rules shared: so it stays true
    until the commit.
    """
    frozen = freeze_over(action_name)
    if frozen:
        raise Frozen(explain(frozen, clock.now()))


def freeze_over(action_name: str) -> Freeze | None:
    """Return the freeze that stops this kind of action; the widest, if several do."""
    active = Freeze.objects.active().select_related("frozen_by")
    over = [each for each in active if patterns.matches(each.pattern, action_name)]
    return min(over, key=lambda each: len(each.pattern), default=None)


def explain(frozen: Freeze, at: datetime) -> str:
    """Say it in words: ``refund.create is frozen since 14:02 UTC by carol: …``."""
    since = frozen.frozen_at
    today = since.date() == at.date()
    moment = f"{since:%H:%M} UTC" if today else f"{since:%Y-%m-%d %H:%M} UTC"
    what = "Everything" if frozen.pattern == "*" else frozen.pattern
    who = frozen.frozen_by.get_username() if frozen.frozen_by else "an operator"
    return f"{what} is frozen since {moment} by {who}: {frozen.reason}"


def may_break_glass(person: User) -> bool:
    """Whether this person holds the permission by name, themselves or by a group.

    Asked of the rows, not of ``has_perm``: to that, a superuser may do anything.
    """
    named = Permission.objects.filter(
        content_type__app_label="approvals", codename=BREAK
    )
    given = named.filter(Q(user=person) | Q(group__user=person))
    return User.objects.filter(pk=person.pk, is_active=True).exists() and given.exists()


def open_glass(
    agent: Agent, action_name: str, at: datetime, person: User | None = None
) -> BreakGlass | None:
    """Return the broken glass that lets this through by now; the latest, if several.

    Not one by whoever owns the agent, nor by somebody who has lost the permission since.
    ``person`` asks for their own only.
    """
    rows = BreakGlass.objects.active(at).filter(Q(agent=None) | Q(agent=agent))
    rows = rows.exclude(person__agents=agent).select_related("person")
    if person is not None:
        rows = rows.filter(person=person)
    return _first_rightful(
        glass for glass in rows if patterns.matches(glass.pattern, action_name)
    )


def _first_rightful(found: Iterable[BreakGlass]) -> BreakGlass | None:
    return next((glass for glass in found if may_break_glass(glass.person)), None)


def record_refusal(agent: Agent, action_name: str, refusal: Frozen) -> None:
    """Put on record that an agent asked in vain. Nothing else of it is kept."""
    with transaction.atomic():
        ledger.record(
            Kind.SUBMIT_REFUSED,
            at=clock.now(),
            actor=Actor.agent(agent),
            agent=agent,
            stream=f"agent:{agent.name}",
            wanted=action_name,
            code=refusal.code,
            why=str(refusal),
        )
