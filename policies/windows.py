"""What had each lookback found at any moment of the past? Kept in memory, sliding along.

Time only goes forward here: an entry comes in once and leaves once, whether its window
moves on or its action stops counting. Pure, and the arithmetic is that of
``policies.tallies``.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from policies import tallies
from policies.rules import Facts, History, Lookback
from policies.tallies import Entry, Tally

_SWEEP_AFTER = 10_000
_order = count()


@dataclass(slots=True, eq=False)
class _Counted:
    """One action that counts, until it leaves."""

    at: datetime
    entry: Entry
    inside: bool = True


@dataclass(slots=True)
class _Sliding:
    """The entries of one key: in the order they came, and those that will end."""

    tally: Tally = field(default_factory=Tally)
    entries: deque[_Counted] = field(default_factory=deque)
    ending: list[tuple[datetime, int, _Counted]] = field(default_factory=list)

    def add(self, at: datetime, entry: Entry, until: datetime | None) -> None:
        counted = _Counted(at, entry)
        self.entries.append(counted)
        self.tally.add(entry.amount, entry.value)
        if until:
            heapq.heappush(self.ending, (until, next(_order), counted))

    def move(self, since: datetime, at: datetime) -> None:
        """Let go of what ended by now, and of what was before the window."""
        while self.ending and self.ending[0][0] <= at:
            self._leave(heapq.heappop(self.ending)[2])
        while self.entries and self.entries[0].at < since:
            self._leave(self.entries.popleft())

    def _leave(self, counted: _Counted) -> None:
        if counted.inside:
            counted.inside = False
            self.tally.add(counted.entry.amount, counted.entry.value, times=-1)


class Window:
    """One lookback over everything that happened so far, key by key."""

    def __init__(self, lookback: Lookback) -> None:
        self.lookback = lookback
        self._keys: dict[str, _Sliding] = {}
        self._added = 0

    def add(self, facts: Facts, until: datetime | None) -> None:
        """Count an action from ``facts.now`` until then; None: for good."""
        entry = tallies.entry_of(self.lookback, facts)
        if entry is None or (until and until <= facts.now):
            return
        if entry.key not in self._keys:
            self._keys[entry.key] = _Sliding()
        self._keys[entry.key].add(facts.now, entry, until)
        self._added += 1
        if self._added > _SWEEP_AFTER + len(self._keys):
            self._sweep(facts.now)

    def history(self, facts: Facts) -> History | None:
        """Return what was found before ``facts.now``, None if the key is missing."""
        key = tallies.key_of(self.lookback, facts)
        if key is None:
            return None
        sliding = self._keys.get(key)
        if sliding is None:
            return Tally().history(self.lookback)
        sliding.move(tallies.begins(self.lookback, facts.now), facts.now)
        return sliding.tally.history(self.lookback)

    def _sweep(self, at: datetime) -> None:
        """Forget keys that nobody asked for again, or memory would grow with time."""
        since = tallies.begins(self.lookback, at)
        for key, sliding in list(self._keys.items()):
            sliding.move(since, at)
            if not sliding.entries:
                del self._keys[key]
        self._added = 0
