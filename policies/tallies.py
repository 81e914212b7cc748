"""What does a lookback find? Its window, its keys, and what its entries come to.

Pure: the database counts by these rules in ``policies.lookbacks``, and whoever replays
actions on record counts by the same ones.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from governance import canonical
from policies.rules import Facts, History, Lookback, Period

# What is longer is found by its hash.
LONGEST_KEY = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One action as one lookback sees it."""

    key: str
    amount: float | None = None
    value: str | None = None


def begins(lookback: Lookback, at: datetime) -> datetime:
    """Return the first moment that counts, seen from this one."""
    if isinstance(lookback.window, timedelta):
        return at - lookback.window
    zone = ZoneInfo(lookback.time_zone)
    day = _first_day(lookback.window, at.astimezone(zone).date())
    # Where clocks skip midnight, this is the moment at which they do.
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _first_day(period: Period, day: date) -> date:
    match period:
        case Period.DAY:
            return day
        case Period.WEEK:
            return day - timedelta(days=day.weekday())
        case Period.MONTH:
            return day.replace(day=1)
        case Period.YEAR:
            return day.replace(month=1, day=1)


def concerns(lookback: Lookback, decision: str) -> bool:
    """Whether it looks at actions that the policies judged so."""
    return lookback.decision in (None, decision)


def entry_of(lookback: Lookback, facts: Facts) -> Entry | None:
    """Return what this action adds, None if a key of it is missing."""
    key = key_of(lookback, facts)
    if key is None:
        return None
    return Entry(key, _amount_of(lookback, facts), _value_of(lookback, facts))


def key_of(lookback: Lookback, facts: Facts) -> str | None:
    """Return the text by which entries are found, short enough to be indexed.

    Several values are joined as a JSON list, so that no value can pretend to be two.
    Without a path it is the same for every action.
    """
    if not lookback.key:
        return ""
    parts = [_text(value_at(path, facts)) for path in lookback.key.split(", ")]
    if None in parts:
        return None
    alone = len(parts) == 1
    return _short(str(parts[0]) if alone else json.dumps(parts, ensure_ascii=False))


def value_at(path: str, facts: Facts) -> Any:
    """Return what is at ``params.customer.id``, None if nothing is."""
    root, *names = path.split(".")
    value: Any = getattr(facts, root)
    if root == "agent":
        return getattr(value, names[0])
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def history_of(lookback: Lookback, entries: Iterable[Entry]) -> History:
    """Return what these entries come to, all of one key."""
    tally = Tally()
    for entry in entries:
        tally.add(entry.amount, entry.value)
    return tally.history(lookback)


@dataclass(slots=True)
class Tally:
    """A running count that entries enter, and leave again with ``times=-1``.

    Adds in decimal, as people do: three times 19.99 is 59.97 on every database.
    """

    count: int = 0
    total: Decimal = Decimal(0)
    summed: int = 0
    values: Counter[str] = field(default_factory=Counter)

    def add(self, amount: float | None, value: str | None, times: int = 1) -> None:
        self.count += times
        if amount is not None:
            self.total += Decimal(repr(amount)) * times
            self.summed += times
        if value is not None:
            self.values[value] += times
            if not self.values[value]:
                del self.values[value]

    def history(self, lookback: Lookback) -> History:
        """Say what is asked for, unless an entry lacks its amount or its value."""
        sums = lookback.sum and self.summed == self.count
        told = lookback.distinct and self.values.total() == self.count
        return History(
            self.count,
            float(self.total) if sums else None,
            len(self.values) if told else None,
        )


def _amount_of(lookback: Lookback, facts: Facts) -> float | None:
    value = value_at(lookback.sum, facts) if lookback.sum else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _value_of(lookback: Lookback, facts: Facts) -> str | None:
    text = _text(value_at(lookback.distinct, facts)) if lookback.distinct else None
    return None if text is None else _short(text)


def _text(value: Any) -> str | None:
    """Return a text, number or boolean as text, None for anything else."""
    text = canonical.key_text(value)
    return None if text is None or "\0" in text else text


def _short(text: str) -> str:
    if len(text) <= LONGEST_KEY:
        return text
    return hashlib.sha256(text.encode()).hexdigest()
