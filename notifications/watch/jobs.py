"""Looks after the system: says when something is stuck, and when it goes on again."""

from __future__ import annotations

import logging
from datetime import datetime

import httpx
from django.conf import settings
from django.db import IntegrityError, transaction

from governance import clock, ledger
from governance.ledger import SYSTEM, Kind
from notifications.watch.models import Trouble
from notifications.watch.signs import Sign, signs

logger = logging.getLogger(__name__)
SECONDS = 5


def look() -> int:
    """Note what is wrong, and what no longer is. Return how much has changed.

    While nothing is wrong, an outside monitor hears from us: silence is its alarm.
    """
    at = clock.now()
    found = {sign.key: sign for sign in signs(at)}
    known = {(row.kind, row.subject): row for row in _lasting()}
    changes = [_began(sign, at) for key, sign in found.items() if key not in known]
    changes += [_ended(row, at) for key, row in known.items() if key not in found]
    if not found:
        _beat()
    return sum(changes)


def _lasting() -> list[Trouble]:
    return list(Trouble.objects.filter(ended_at=None))


def _began(sign: Sign, at: datetime) -> bool:
    try:
        with transaction.atomic():
            row = Trouble.objects.create(
                kind=sign.kind, subject=sign.subject, words=sign.words, began_at=at
            )
            _record(Kind.TROUBLE_BEGAN, row, at)
    except IntegrityError:
        # Another worker was faster.
        return False
    return True


@transaction.atomic
def _ended(trouble: Trouble, at: datetime) -> bool:
    lasting = Trouble.objects.filter(pk=trouble.pk, ended_at=None)
    if not lasting.update(ended_at=at):
        return False
    _record(Kind.TROUBLE_ENDED, trouble, at)
    return True


def _record(kind: Kind, trouble: Trouble, at: datetime) -> None:
    ledger.record(
        kind,
        at=at,
        actor=SYSTEM,
        stream=f"trouble:{trouble.pk}",
        trouble=trouble.kind,
        channel=trouble.subject,
        words=trouble.words,
    )


def _beat() -> None:
    """Tell an outside monitor that all is well. Whether it listens is its own matter."""
    if not settings.HEARTBEAT_URL:
        return
    try:
        httpx.get(settings.HEARTBEAT_URL, timeout=SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        logger.warning("The outside monitor does not answer: %s", error)
