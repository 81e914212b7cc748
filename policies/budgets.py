"""How much of each budget is used? What lookbacks add up to now, beside the limits.

A budget is a lookback with a sum that a condition in force compares with something. The
limit is said where the condition has it as a number: ``history.spent.sum +
params.amount > 500.0``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, F, Q, QuerySet, Sum, Window
from django.db.models.functions import RowNumber

from governance.models import COUNTED, first_uuid7
from policies import reading, rows, tallies
from policies.models import Lookback, LookbackEntry, Policy
from policies.rulesets import lookback as as_rule

# How many budgets are shown, and how many keys of each.
MOST = 12
MOST_KEYS = 5
_SUM = re.compile(r"history\s*\.\s*(\w+)\s*\.\s*sum\b(?:\s*\+\s*[\w.]+)?")
_NAMED = re.compile(r"history\s*\.\s*(\w+)\s*\.\s*sum\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Limit:
    amount: float
    policy: str


@dataclass(frozen=True, slots=True)
class Use:
    """What one customer, order or account has used up, and in how many actions."""

    key: str
    total: float
    actions: int


@dataclass(frozen=True, slots=True)
class Budget:
    lookback: Lookback
    since: datetime
    limits: Sequence[Limit] = ()
    uses: list[Use] = field(default_factory=list)

    @property
    def limit(self) -> float | None:
        """The lowest limit: the first that something happens at."""
        return min((limit.amount for limit in self.limits), default=None)


def budgets(at: datetime) -> list[Budget]:
    """Return them by name, each with the keys that have used most, in three queries."""
    limits = _limits(Policy.objects.filter(mode=Policy.Mode.ENFORCE))
    lookbacks = Lookback.objects.filter(name__in=limits).exclude(sum="")[:MOST]
    found = {
        row.pk: Budget(row, _since(row, at), limits[row.name]) for row in lookbacks
    }
    if found:
        for pk, key, total, actions in _most_used(found.values()):
            found[pk].uses.append(Use(key, total, actions))
    return list(found.values())


def _since(row: Lookback, at: datetime) -> datetime:
    return tallies.begins(as_rule(rows.lookback(row)), at)


def _limits(policies: Iterable[Policy]) -> Mapping[str, list[Limit]]:
    """Return the lookbacks whose sums conditions read, with the limits they name."""
    found: dict[str, list[Limit]] = defaultdict(list)
    for policy in policies:
        for name in _NAMED.findall(policy.when):
            found.setdefault(name, [])
        for name, amount in sorted(set(_compared(policy.when))):
            found[name].append(Limit(amount, policy.name))
    return found


def _compared(condition: str) -> Iterator[tuple[str, float]]:
    """Yield each sum that a condition compares with a number, and the number."""
    cut = reading.cut(condition)
    for part in cut.parts:
        yield from _compared(part)
    sides = None if cut.parts else reading.compared(condition)
    if sides is None or sides[1] in ("==", "!=", "in"):
        return
    left, _, right = sides
    for one, other in ((left, right), (right, left)):
        said = _SUM.fullmatch(reading.bare(one))
        if said and _NUMBER.fullmatch(other):
            yield said[1], float(other)


def _most_used(
    budgets: Iterable[Budget],
) -> QuerySet[LookbackEntry, tuple[int, str, float, int]]:
    """Add up what counts, by key, and keep the largest of each lookback.

    The key of the action tells when it was asked, and is indexed; a revision that was
    judged within the window of an action from before it is left out.
    """
    wanted, first = Q(), None
    for budget in budgets:
        begins = Q(lookback=budget.lookback, at__gte=budget.since)
        if budget.lookback.decision:
            begins &= Q(action__decision=budget.lookback.decision)
        wanted |= begins
        first = min(first or budget.since, budget.since)
    assert first
    largest = Window(
        RowNumber(),
        partition_by=F("lookback"),
        order_by=[F("total").desc(), F("key").asc()],
    )
    return (
        LookbackEntry.objects.filter(wanted, action__gte=first_uuid7(first))
        .filter(action__status__in=[str(status) for status in sorted(COUNTED)])
        .order_by()
        .values("lookback", "key")
        .annotate(total=Sum("amount"), actions=Count("pk"))
        .annotate(place=largest)
        .filter(place__lte=MOST_KEYS, total__gt=0)
        .order_by("lookback", "place")
        .values_list("lookback", "key", "total", "actions")
    )
