"""What differs between two versions of the parameters, value by value?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approvals.console.facts import Fact, Path, flatten


@dataclass(frozen=True, slots=True)
class Change:
    """One value that differs. ``before`` is missing from what is new, ``after`` from
    what is gone."""

    before: Fact | None
    after: Fact | None

    @property
    def place(self) -> Fact:
        """Either of the two, for the way that leads there."""
        fact = self.after or self.before
        assert fact is not None
        return fact

    @property
    def notes(self) -> tuple[str, ...]:
        return self.after.notes if self.after else ()


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return what differs, in the order of the facts."""
    old, new = _by_path(before), _by_path(after)
    places = sorted(old.keys() | new.keys(), key=_order)
    changes = (Change(old.get(path), new.get(path)) for path in places)
    return [each for each in changes if each.before != each.after]


def _by_path(params: Mapping[str, Any]) -> dict[Path, Fact]:
    return {fact.path: fact for fact in flatten(dict(params)) if fact.path}


def _order(path: Path) -> list[tuple[bool, int, str]]:
    """Positions before names, so that the two need not be compared."""
    return [
        (isinstance(step, str), 0 if isinstance(step, str) else step, str(step))
        for step in path
    ]
