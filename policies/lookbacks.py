"""What happened to the same customer, order or account before?

Each action leaves one entry for every lookback that counts it. Whether an entry counts
is the present status of its action. Who submits takes the locks of the keys first: of
two simultaneous first refunds for one customer exactly one finds nothing before it, and
of a hundred for one budget exactly as many go through as it has room for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Count, FloatField, IntegerField, Q, QuerySet, Value
from django.db.models.functions import Cast

from governance import locks
from governance.models import COUNTED, Action
from policies import tallies
from policies.models import Lookback as Row
from policies.models import LookbackEntry
from policies.rules import AgentFacts, Facts, History, Lookback
from policies.tallies import Tally

BATCH = 1_000
# SQLite joins at most 500 queries to one, and a lookback takes up to two.
AT_ONCE = 200
_NOTHING = Cast(Value(None), IntegerField())
_COUNTED = [str(status) for status in sorted(COUNTED)]


def lock(lookbacks: Iterable[Lookback], facts: Facts) -> None:
    """Wait for everyone who counts, or adds to, the same keys. Once for all of them."""
    keys = ((lookback.name, tallies.key_of(lookback, facts)) for lookback in lookbacks)
    locks.keyed(f"lookback:{name}:{key}" for name, key in keys if key is not None)


def history(
    lookbacks: Iterable[Lookback],
    facts: Facts,
    at: datetime,
    excluding: Action | None = None,
) -> dict[str, History]:
    """Count and sum what was before ``at``. The caller holds the locks, if it must.

    A lookback whose key is missing, or is neither a string, a number nor a boolean,
    is absent: it cannot be evaluated. ``excluding`` is the action that is judged.
    """
    found: dict[str, History] = {}
    asked = [(b, k) for b in lookbacks if (k := tallies.key_of(b, facts)) is not None]
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        found |= _histories((b, _window(b, key, at, excluding)) for b, key in some)
    return found


def counts(status: str) -> bool:
    """Whether an action in this status counts: it went ahead, or still may.

    A permission that has run out counts until that is written down: until then it may
    be on its way to being used by somebody who asked in time.
    """
    return status in _COUNTED


def record_entries(action: Action, lookbacks: Iterable[Lookback]) -> None:
    """Let later actions find this one. A revision takes the place of the one before."""
    counting = {lookback.name: lookback for lookback in lookbacks}
    if action.revision > 1:
        LookbackEntry.objects.filter(action=action).delete()
    if counting:
        rows = Row.objects.filter(name__in=counting).values_list("name", "pk")
        facts = facts_of(action)
        entries = (_entry(counting[name], pk, action, facts) for name, pk in rows)
        LookbackEntry.objects.bulk_create(filter(None, entries))


def rebuild(lookback: Lookback, at: datetime) -> int:
    """Write the entries of a new or changed lookback anew. Return how many.

    The caller holds the lock of the rules: nothing is submitted meanwhile.
    """
    row = Row.objects.get(name=lookback.name)
    row.entries.all().delete()
    counted = Action.objects.filter(judged_at__gte=tallies.begins(lookback, at))
    if "*" not in lookback.actions:
        counted = counted.filter(_matching(lookback.actions))
    written = 0
    for batch in _batches(counted.select_related("agent")):
        entries = (_entry(lookback, row.pk, each, facts_of(each)) for each in batch)
        created = LookbackEntry.objects.bulk_create(filter(None, entries))
        written += len(created)
    return written


def facts_of(action: Action) -> Facts:
    """Return what lookbacks may ask about an action on record."""
    agent = action.agent
    return Facts(
        action=action.name,
        params=action.params,
        agent=AgentFacts(agent.name, agent.environment, tuple(agent.tags)),
        now=action.judged_at,
        resource=action.resource,
        context=action.context,
    )


def _entry(
    lookback: Lookback, pk: int, action: Action, facts: Facts
) -> LookbackEntry | None:
    found = tallies.entry_of(lookback, facts)
    if found is None:
        return None
    return LookbackEntry(
        lookback_id=pk,
        key=found.key,
        action=action,
        amount=found.amount,
        value=found.value,
        at=action.judged_at,
    )


Entries = QuerySet[LookbackEntry]


def _window(
    lookback: Lookback, key: str, at: datetime, excluding: Action | None
) -> Entries:
    """Return the entries that count. The index ``lookback_window`` finds them."""
    entries = LookbackEntry.objects.order_by().filter(
        lookback=Row.objects.filter(name=lookback.name).values("pk")[:1],
        key=key,
        at__gte=tallies.begins(lookback, at),
        action__status__in=_COUNTED,
    )
    if lookback.decision:
        entries = entries.filter(action__decision=str(lookback.decision))
    return entries.exclude(action=excluding) if excluding else entries


def _parts(lookback: Lookback, entries: Entries) -> Iterator[Any]:
    """What to ask of these entries, as rows of name, amount, times, distinct, told."""
    named = entries.annotate(name=Value(lookback.name))
    yield named.values_list("name", "amount").annotate(
        times=Count("id"), distinct=_NOTHING, told=_NOTHING
    )
    if lookback.distinct:
        yield named.values_list("name").annotate(
            none=Cast(Value(None), FloatField()),
            times=Count("id"),
            distinct=Count("value", distinct=True),
            told=Count("value"),
        )


def _histories(windows: Iterable[tuple[Lookback, Entries]]) -> dict[str, History]:
    """Ask for all of them in one query."""
    windows = list(windows)
    if not windows:
        return {}
    first, *others = (part for window in windows for part in _parts(*window))
    found = defaultdict(list)
    for name, *row in first.union(*others, all=True):
        found[name].append(row)
    return {
        lookback.name: _history(lookback, found[lookback.name])
        for lookback, _ in windows
    }


def _history(lookback: Lookback, rows: Iterable[Any]) -> History:
    tally = Tally()
    values: int | None = 0
    for amount, times, distinct, told in rows:
        if distinct is None:
            tally.add(amount, None, times)
        else:
            values = distinct if told == times else None
    found = tally.history(lookback)
    return replace(found, distinct=values) if lookback.distinct else found


def _matching(patterns: Iterable[str]) -> Q:
    found = Q()
    for pattern in patterns:
        if pattern.endswith(".*"):
            found |= Q(name__startswith=pattern.removesuffix("*"))
        else:
            found |= Q(name=pattern)
    return found


def _batches(actions: Any) -> Iterator[list[Action]]:
    """Yield actions in the order of their ids, a bounded number at a time."""
    actions = actions.order_by("pk")
    last = None
    while batch := list(
        actions.filter(pk__gt=last)[:BATCH] if last else actions[:BATCH]
    ):
        yield batch
        last = batch[-1].pk
