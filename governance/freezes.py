"""The stop buttons: what is frozen, who may freeze, and who may thaw?

Submitting and consuming hold the lock of the rules shared until they commit; freezing
takes it alone. So when ``freeze`` has returned, nothing that its pattern covers is
still under way, in any process, and nothing more begins.
"""

from __future__ import annotations

import re

from django.db import transaction

from governance import clock, ledger, locks
from governance.errors import Invalid, Refused
from governance.ledger import Kind
from governance.models import Freeze, User
from governance.services import by

FREEZE = "governance.freeze_actions"
LONGEST_REASON = 500
EVERYTHING = "*"
# ``*``, an action's name, or a dotted prefix with ``.*``: as policies name actions.
_PATTERN = re.compile(r"\*|[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*(?:\.\*)?", re.ASCII)


class MayNotFreeze(Refused):
    code = "may_not_freeze"
    status = 403


class NotFrozen(Refused):
    code = "not_frozen"


@transaction.atomic
def freeze(pattern: str, *, reason: str, author: User | None = None) -> Freeze:
    """Stop every action the pattern covers. Return the freeze that is in force.

    ``pattern`` is an action's name, a prefix like ``refund.*``, or ``*`` for everything.
    In force on the next submit and consume the moment this returns, also for what was
    approved before. Freezing what is frozen changes nothing. Without an author it is
    the operator at the terminal.
    """
    _check_pattern(pattern)
    reason = checked_reason(reason)
    locks.exclusive(locks.RULES)
    _check_right(author)
    if frozen := Freeze.objects.active().filter(pattern=pattern).first():
        return frozen
    at = clock.now()
    frozen = Freeze.objects.create(
        pattern=pattern, reason=reason, frozen_by=author, frozen_at=at
    )
    ledger.record(
        Kind.FROZEN,
        at=at,
        actor=by(author),
        stream=f"freeze:{pattern}",
        pattern=pattern,
        reason=reason,
    )
    return frozen


@transaction.atomic
def thaw(frozen: Freeze, *, reason: str, author: User | None = None) -> None:
    """Let what was frozen go on. What was approved, and is still good, can be used."""
    reason = checked_reason(reason)
    locks.exclusive(locks.RULES)
    _check_right(author)
    at = clock.now()
    rows = Freeze.objects.active().filter(pk=frozen.pk)
    if not rows.update(thawed_by=author, thawed_at=at, thaw_reason=reason):
        raise NotFrozen(f"{frozen.pattern} was thawed already.")
    ledger.record(
        Kind.THAWED,
        at=at,
        actor=by(author),
        stream=f"freeze:{frozen.pattern}",
        pattern=frozen.pattern,
        reason=reason,
        frozen_at=frozen.frozen_at.isoformat(),
    )


def checked_reason(reason: str, *, least: int = 1) -> str:
    """Return the reason as it goes on record, or say what it lacks."""
    reason = reason.strip()
    if len(reason) < least:
        wanted = (
            "Say why." if least == 1 else f"Say why, in {least} characters or more."
        )
        raise Invalid(wanted, code="reason_required")
    if len(reason) > LONGEST_REASON:
        raise Invalid(f"Keep it under {LONGEST_REASON} characters.", code="too_long")
    return reason


def _check_pattern(pattern: str) -> None:
    if len(pattern) > 100 or not _PATTERN.fullmatch(pattern):
        raise Invalid(
            "Name an action, a prefix like refund.*, or * for everything.",
            code="pattern",
        )


def _check_right(author: User | None) -> None:
    """Ask for the right as it is now, not as it was when the page was opened."""
    if author is None:
        return
    person = User.objects.get(pk=author.pk)
    if not person.has_perm(FREEZE):
        raise MayNotFreeze("You may not freeze or thaw actions.")
