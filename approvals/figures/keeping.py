"""Must a page count three months of requests? No: what is over is counted once.

A day, or an hour of today, is kept once nothing about it can change any more. What is
not kept is counted when it is asked for: the figures are the same, and never wait for a
job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, Min, Q

from approvals.figures.counts import Counts, total
from approvals.figures.measuring import measure
from approvals.figures.periods import Slot, Stretch, midnight, over, stretches_of, today
from approvals.figures.selecting import EVERYTHING, Scope
from approvals.models import KeptDay
from governance.models import Action, User

# What is under way at midnight has been written down, or given up, by then.
GRACE = timedelta(minutes=10)
# How many days or hours one run counts, so that a job stays short.
AT_ONCE = 30
# Less than any day, also the one that clocks make shorter.
MANY_HOURS = timedelta(hours=20)
MOST_SCOPES = 50


def counts_of(scope: Scope, slots: Sequence[Slot], at: datetime) -> list[Counts]:
    """Return what each slot comes to: from what is kept, and by counting the rest."""
    stretches = [each for each in stretches_of(slots) if each[0] <= at]
    kept = _kept(scope, stretches)
    missing = [each for each in stretches if each not in kept]
    if missing:
        # In one go: holes are rare, and reading over one costs no further query.
        since = stretches[stretches.index(missing[0]) :]
        edges = [start for start, _ in since] + [since[-1][1]]
        counted = zip(since, measure(scope, edges), strict=True)
        kept |= {each: counts for each, counts in counted if each not in kept}
    return [
        total(kept[each] for each in stretches if slot.start <= each[0] < slot.end)
        for slot in slots
    ]


def _kept(scope: Scope, stretches: Sequence[Stretch]) -> dict[Stretch, Counts]:
    rows = KeptDay.objects.filter(
        scope=scope.key, starts_at__gte=stretches[0][0], ends_at__lte=stretches[-1][1]
    )
    wanted = set(stretches)
    return {
        (row.starts_at, row.ends_at): Counts.from_data(row.counts)
        for row in rows
        if (row.starts_at, row.ends_at) in wanted
    }


def keep(at: datetime) -> int:
    """Count some of what is over, the latest first. Return how much was kept."""
    past = over(at)
    _forget(at, past[-1][0])
    until = _settled_until(at)
    ready = [each for each in past if each[1] <= until]
    kept = 0
    for scope in _scopes():
        kept += _keep(scope, ready, AT_ONCE - kept)
    return kept


def _keep(scope: Scope, ready: Sequence[Stretch], most: int) -> int:
    rows = KeptDay.objects.filter(scope=scope.key)
    there = set(rows.values_list("starts_at", "ends_at"))
    missing = [each for each in ready if each not in there][:most]
    KeptDay.objects.bulk_create(
        (_row(scope, each) for each in missing), ignore_conflicts=True
    )
    return len(missing)


def _forget(at: datetime, first: datetime) -> None:
    """Remove what no page asks for any more, such as the hours of yesterday."""
    hours = Q(
        starts_at__lt=midnight(today(at)), ends_at__lt=F("starts_at") + MANY_HOURS
    )
    KeptDay.objects.filter(hours | Q(starts_at__lt=first)).delete()


def _row(scope: Scope, stretch: Stretch) -> KeptDay:
    (counts,) = measure(scope, stretch)
    start, end = stretch
    return KeptDay(
        scope=scope.key, starts_at=start, ends_at=end, counts=counts.as_data()
    )


def _settled_until(at: datetime) -> datetime:
    """Return up to when silence has been written down, and decisions are committed.

    What is due may be a mark or a reminder: only at a deadline something is settled.
    """
    due = Action.objects.overdue(at).order_by()
    first: datetime | None = due.aggregate(first=Min("deadline_at"))["first"]
    return min(at - GRACE, first or at)


def _scopes() -> list[Scope]:
    """Return whose figures people may ask for: everything, and their own groups'."""
    staff = User.objects.filter(is_active=True, is_staff=True, groups__isnull=False)
    groups: dict[int, set[int]] = {}
    for person, group in staff.values_list("pk", "groups"):
        groups.setdefault(person, set()).add(group)
    shared = Counter(map(frozenset, groups.values())).most_common(MOST_SCOPES)
    return [EVERYTHING, *(Scope(each) for each, _ in shared)]
