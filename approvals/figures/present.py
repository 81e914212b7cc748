"""How do things stand at this moment? What waits, what is late, what was decided today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from approvals.figures.periods import DAY, midnight, today
from approvals.figures.selecting import Scope
from approvals.models import Vote


@dataclass(frozen=True, slots=True)
class Present:
    open: int
    overdue: int
    decided_today: int


def present(scope: Scope, at: datetime) -> Present:
    waiting = scope.open()
    return Present(
        open=waiting.count(),
        overdue=waiting.late(at).count(),
        decided_today=decided_on(votes_today(at).filter(scope.of("request"))),
    )


def votes_today(at: datetime) -> QuerySet[Vote]:
    """Return what people said since midnight, in the console's time zone."""
    return voted(midnight(today(at)), midnight(today(at) + DAY))


def voted(start: datetime, end: datetime) -> QuerySet[Vote]:
    """Return what people said in this time. The index ``vote_at`` finds it."""
    return Vote.objects.filter(Q(at__gte=start, at__lt=end, person__isnull=False))


def decided_on(votes: QuerySet[Vote]) -> int:
    """Return on how many requests these votes were."""
    found: int = votes.order_by().aggregate(n=Count("request", distinct=True))["n"]
    return found
