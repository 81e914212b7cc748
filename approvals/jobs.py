"""Work the clock brings. Every job is safe to run twice, or twice at once."""

from __future__ import annotations

import logging
from uuid import UUID

from approvals import drift, services
from approvals.figures import keeping
from governance import clock
from governance.models import Action, ActionQuerySet

logger = logging.getLogger(__name__)
# What could not be settled is tried again every time, and logged only the first.
_reported: set[UUID] = set()


def settle_due(limit: int = 500) -> int:
    """Make visible what silence has decided. Return how many actions were settled."""
    at = clock.now()
    overdue = _settle(Action.objects.overdue(at), limit)
    return overdue + _settle(Action.objects.lapsed(at), limit)


def _settle(due: ActionQuerySet, limit: int) -> int:
    """Settle each action in its own transaction: a bad row must not hold others back.

    In no particular order, so that rows which cannot be settled do not come first for
    ever, and two sweeps at once do not meet at every row.
    """
    settled = 0
    for pk in due.order_by("?").values_list("pk", flat=True)[:limit]:
        try:
            services.settle(pk)
        except Exception:
            if pk not in _reported:
                _reported.add(pk)
                logger.exception("Could not settle the action %s", pk)
            continue
        _reported.discard(pk)
        settled += 1
    return settled


def check_drift() -> int:
    """Find what waits under rules that have changed since. Return how many were looked
    at: they are noted as drifted or not, and judged again only when a person says so."""
    return drift.check()


def keep_days() -> int:
    """Count the days and hours that are over. Return how many were counted now."""
    return keeping.keep(clock.now())
