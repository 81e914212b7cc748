"""Must a page count three months of requests? No: days that are over are counted once.

A day is kept once nothing about it can change any more. What is not kept is counted when
it is asked for: the figures are the same, and never wait for a job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Min

from approvals.figures.counts import Counts, total
from approvals.figures.measuring import measure
from approvals.figures.periods import Slot, days_before, days_of
from approvals.figures.selecting import EVERYTHING, Scope
from approvals.models import KeptDay
from governance.models import Action, User

# What is under way at midnight has been written down, or given up, by then.
GRACE = timedelta(minutes=10)
# How many days one run counts, so that a job stays short.
AT_ONCE = 7
MOST_SCOPES = 50
Day = tuple[datetime, datetime]


def counts_of(scope: Scope, slots: Sequence[Slot]) -> list[Counts]:
    """Return what each slot comes to: from what is kept, and by counting the rest."""
    days = days_of(slots)
    kept = _kept(scope, days)
    missing = [day for day in days if day not in kept]
    if missing:
        # In one go: holes are rare, and reading over one costs no further query.
        since = days[days.index(missing[0]) :]
        edges = [start for start, _ in since] + [since[-1][1]]
        counted = zip(since, measure(scope, edges), strict=True)
        kept |= {day: counts for day, counts in counted if day not in kept}
    return [
        total(kept[day] for day in days if slot.start <= day[0] < slot.end)
        for slot in slots
    ]


def _kept(scope: Scope, days: Sequence[Day]) -> dict[Day, Counts]:
    rows = KeptDay.objects.filter(
        scope=scope.key, starts_at__gte=days[0][0], ends_at__lte=days[-1][1]
    )
    return {
        (row.starts_at, row.ends_at): Counts.from_data(row.counts)
        for row in rows
        if (row.starts_at, row.ends_at) in days
    }


def keep(at: datetime) -> int:
    """Count some days that are over, the latest first. Return how many were kept."""
    over = days_before(at)
    KeptDay.objects.filter(starts_at__lt=over[-1][0]).delete()
    ready = [day for day in over if day[1] <= _settled_until(at)]
    return sum(_keep(scope, ready) for scope in _scopes())


def _keep(scope: Scope, ready: Sequence[Day]) -> int:
    rows = KeptDay.objects.filter(scope=scope.key)
    there = set(rows.values_list("starts_at", "ends_at"))
    missing = [day for day in ready if day not in there][:AT_ONCE]
    KeptDay.objects.bulk_create(
        (_row(scope, day) for day in missing), ignore_conflicts=True
    )
    return len(missing)


def _row(scope: Scope, day: Day) -> KeptDay:
    (counts,) = measure(scope, day)
    return KeptDay(
        scope=scope.key, starts_at=day[0], ends_at=day[1], counts=counts.as_data()
    )


def _settled_until(at: datetime) -> datetime:
    """Return up to when silence has been written down, and decisions are committed."""
    pending = Action.objects.pending()
    due: datetime | None = pending.aggregate(first=Min("due_at"))["first"]
    return min(at - GRACE, due or at)


def _scopes() -> list[Scope]:
    """Return whose figures people may ask for: everything, and their own groups'."""
    staff = User.objects.filter(is_active=True, is_staff=True, groups__isnull=False)
    groups: dict[int, set[int]] = {}
    for person, group in staff.values_list("pk", "groups"):
        groups.setdefault(person, set()).add(group)
    shared = Counter(map(frozenset, groups.values())).most_common(MOST_SCOPES)
    return [EVERYTHING, *(Scope(each) for each, _ in shared)]
