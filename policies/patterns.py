"""Which rules could apply to an action? An index, so that only those are looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

PATTERN = re.compile(r"\*|[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*(?:\.\*)?", re.ASCII)


def is_pattern(text: str) -> bool:
    """Whether this is ``*``, an action's name, or a dotted prefix with ``.*``."""
    return len(text) <= 100 and PATTERN.fullmatch(text) is not None


def matches(pattern: str, action: str) -> bool:
    """Whether the pattern covers the action. ``refund.*`` covers any depth below."""
    if pattern == "*" or pattern == action:
        return True
    return pattern.endswith(".*") and action.startswith(pattern[:-1])


class PatternIndex(Generic[T]):
    """Finds rules by action name in a time that does not depend on their number."""

    def __init__(self, rules: Iterable[tuple[Iterable[str], T]]) -> None:
        self._buckets: dict[str, list[tuple[int, T]]] = {}
        for position, (patterns, rule) in enumerate(rules):
            for pattern in dict.fromkeys(patterns):
                self._buckets.setdefault(pattern, []).append((position, rule))

    def matching(self, action: str) -> list[T]:
        """Return the rules that cover the action, in their original order."""
        found = {
            position: rule
            for pattern in _covering(action)
            for position, rule in self._buckets.get(pattern, ())
        }
        return [found[position] for position in sorted(found)]


def _covering(action: str) -> Iterator[str]:
    yield "*"
    yield action
    end = action.find(".")
    while end != -1:
        yield f"{action[:end]}.*"
        end = action.find(".", end + 1)
