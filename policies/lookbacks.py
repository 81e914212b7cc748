"""What happened to the same customer, order or account before?

Each action leaves one entry for every lookback that counts it. Whether an entry counts
is the present status of its action. Who submits takes the locks of the keys first: of
two simultaneous first refunds for one customer exactly one finds nothing before it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q

from governance import canonical, locks
from governance.models import COUNTED, Action
from policies.models import Lookback as Row
from policies.models import LookbackEntry
from policies.rules import AgentFacts, Facts, History, Lookback

LONGEST_KEY = 64
BATCH = 1_000


def lock(lookbacks: Iterable[Lookback], facts: Facts) -> None:
    """Wait for everyone who counts, or adds to, the same keys. Once for all of them."""
    keys = ((lookback.name, key_of(lookback, facts)) for lookback in lookbacks)
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
    asked = {
        lookback.name: (lookback, key)
        for lookback in lookbacks
        if (key := key_of(lookback, facts)) is not None
    }
    if not asked:
        return {}
    windows = Q()
    for lookback, key in asked.values():
        since = begins(lookback, at)
        windows |= Q(lookback__name=lookback.name, key=key, at__gt=since)
    entries = LookbackEntry.objects.filter(windows)
    if excluding:
        entries = entries.exclude(action=excluding)
    tallies = _tally(entries.filter(action__status__in=[str(s) for s in COUNTED]))
    return {
        name: _history(lookback, tallies[name]) for name, (lookback, _) in asked.items()
    }


def record_entries(action: Action, lookbacks: Iterable[Lookback]) -> None:
    """Let later actions find this one. A revision takes the place of the one before."""
    counting = {lookback.name: lookback for lookback in lookbacks}
    if action.revision > 1:
        LookbackEntry.objects.filter(action=action).delete()
    if counting:
        rows = Row.objects.filter(name__in=counting).values_list("name", "pk")
        entries_of = [
            entry
            for name, pk in rows
            if (entry := _entry(counting[name], pk, action, facts_of(action)))
        ]
        LookbackEntry.objects.bulk_create(entries_of)


def rebuild(lookback: Lookback, at: datetime) -> int:
    """Write the entries of a new or changed lookback anew. Return how many.

    The caller holds the lock of the rules: nothing is submitted meanwhile.
    """
    row = Row.objects.get(name=lookback.name)
    row.entries.all().delete()
    counted = Action.objects.filter(created_at__gt=begins(lookback, at))
    if "*" not in lookback.actions:
        counted = counted.filter(_matching(lookback.actions))
    written = 0
    for batch in _batches(counted.select_related("agent")):
        entries = (_entry(lookback, row.pk, each, facts_of(each)) for each in batch)
        created = LookbackEntry.objects.bulk_create(filter(None, entries))
        written += len(created)
    return written


def begins(lookback: Lookback, at: datetime) -> datetime:
    """Return the moment after which actions count."""
    assert isinstance(lookback.window, timedelta)
    return at - lookback.window


def key_of(lookback: Lookback, facts: Facts) -> str | None:
    """Return the text by which entries are found, short enough to be indexed."""
    text = canonical.key_text(value_at(lookback.key, facts))
    if text is None or "\0" in text:
        return None
    if len(text) > LONGEST_KEY:
        return hashlib.sha256(text.encode()).hexdigest()
    return text


def amount_of(lookback: Lookback, facts: Facts) -> float | None:
    value = value_at(lookback.sum, facts) if lookback.sum else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def value_at(path: str, facts: Facts) -> Any:
    """Return what is at ``params.customer.id``, None if nothing is."""
    root, *names = path.split(".")
    value: Any = getattr(facts, root)
    if root == "agent":
        return getattr(value, names[0])
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def facts_of(action: Action) -> Facts:
    """Return what lookbacks may ask about an action on record."""
    agent = action.agent
    return Facts(
        action=action.name,
        params=action.params,
        agent=AgentFacts(agent.name, agent.environment, tuple(agent.tags)),
        now=action.created_at,
        resource=action.resource,
        context=action.context,
    )


def _entry(
    lookback: Lookback, pk: int, action: Action, facts: Facts
) -> LookbackEntry | None:
    key = key_of(lookback, facts)
    if key is None:
        return None
    return LookbackEntry(
        lookback_id=pk,
        key=key,
        action=action,
        amount=amount_of(lookback, facts),
        at=action.created_at,
    )


Tally = list[tuple[float | None, int]]


def _tally(entries: Any) -> Mapping[str, Tally]:
    """Return how often each amount occurs, by lookback."""
    found = entries.order_by().values_list("lookback__name", "amount")
    tallies: defaultdict[str, Tally] = defaultdict(list)
    for name, amount, times in found.annotate(times=Count("id")):
        tallies[name].append((amount, times))
    return tallies


def _history(lookback: Lookback, tally: Tally) -> History:
    count = sum(times for _, times in tally)
    if not lookback.sum or any(amount is None for amount, _ in tally):
        return History(count)
    # In decimal, as people add: three times 19.99 is 59.97 on every database.
    total = sum(Decimal(repr(amount)) * times for amount, times in tally)
    return History(count, float(total))


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
