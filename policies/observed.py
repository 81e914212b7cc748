"""What do real actions hold? Paths with their kinds and a few values, from the latest ones.

However many actions there are, and however large, a bounded part of them is read.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from governance import canonical, text_safety
from governance.models import Action, ActionType
from policies import dialect, patterns

NEWEST = 500
# A wildcard is looked for among so many of the latest actions, whatever their names.
WINDOW = 5_000
MOST_PATTERNS = 20
MOST_PATHS = 120
MOST_DEPTH = 4
MOST_EXAMPLES = 3
LONGEST = 32
# How much is looked at together: values, and characters of texts.
_VALUES, _TEXT = 50_000, 4_000_000
_CHUNK = 25
_DIFFERENT = 40

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Path = tuple[str, ...]


@dataclass(slots=True)
class Seen:
    """One path, and what stood there."""

    path: Path
    times: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    least: float | None = None
    most: float | None = None
    values: Counter[str] = field(default_factory=Counter)

    def note(self, value: Any) -> None:
        self.times += 1
        self.kinds[kind_of(value)] += 1
        if isinstance(value, list):
            value = len(value)
        elif isinstance(value, str) and len(self.values) < _DIFFERENT:
            self.values[value[: LONGEST + 1]] += 1
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.least = value if self.least is None else min(self.least, value)
            self.most = value if self.most is None else max(self.most, value)

    @property
    def source(self) -> str:
        """Return the path as a condition writes it; empty if nobody should."""
        parts = [self.path[0], *map(_step, self.path[1:])]
        return "".join(parts) if all(parts) else ""

    @property
    def name(self) -> str:
        """Return the path for people: hidden characters are spelled out."""
        return self.source or text_safety.visible_line(".".join(self.path))

    @property
    def kind(self) -> str:
        return " or ".join(kind for kind, _ in self.kinds.most_common())

    @property
    def told(self) -> str:
        """Return a few values, and how far numbers reach."""
        parts = [_text(value) for value, _ in self.values.most_common(MOST_EXAMPLES)]
        if self.least is not None and self.most is not None:
            least, most = _number(self.least), _number(self.most)
            span = least if least == most else f"{least} to {most}"
            parts.insert(0, f"{span} items" if "list" in self.kinds else span)
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Observed:
    """What was found in so many actions."""

    actions: int
    seen: list[Seen]
    # Whether there was more than is looked at.
    is_cut: bool


def observe(wanted: Iterable[str]) -> Observed:
    """Return what the latest actions hold that these patterns cover."""
    found: dict[Path, Seen] = {}
    actions = values = text = 0
    ids = list(_latest(list(wanted)[:MOST_PATTERNS]))
    for params, context, resource in _rows(ids):
        actions += 1
        parts = {"params": params, "context": context, "resource": resource or {}}
        for path, value in _walk(parts):
            values += 1
            text += len(value) if isinstance(value, str) else 0
            if path in found or len(found) < MOST_PATHS:
                found.setdefault(path, Seen(path)).note(value)
        if values > _VALUES or text > _TEXT:
            break
    seen = sorted(found.values(), key=lambda each: (_ROOTS[each.path[0]], each.path))
    return Observed(actions, seen, len(found) >= MOST_PATHS or actions < len(ids))


_ROOTS = {"params": 0, "resource": 1, "context": 2}
_KINDS = {bool: "yes or no", str: "text", list: "list", dict: "object"}


def kind_of(value: Any) -> str:
    if value is None:
        return "null"
    return _KINDS.get(type(value), "number")


def _latest(wanted: list[str]) -> Iterator[UUID]:
    """Yield the ids of the newest actions, each found by an index."""
    ids: set[UUID] = set()
    for name in _names(wanted):
        rows = Action.objects.filter(name=name).order_by("-pk")
        ids.update(rows.values_list("pk", flat=True)[:NEWEST])
    if any(each.endswith("*") for each in wanted):
        window = Action.objects.order_by("-pk").values_list("pk", "name")[:WINDOW]
        ids.update(
            pk for pk, name in window if any(patterns.matches(p, name) for p in wanted)
        )
    yield from sorted(ids, reverse=True)[:NEWEST]


def _names(wanted: list[str]) -> list[str]:
    """Return the names that are written out, and those of the catalogue."""
    exact = [each for each in wanted if not each.endswith("*")]
    if "*" in wanted:
        return exact
    known = ActionType.objects.values_list("name", flat=True)[:WINDOW]
    covered = (n for n in known if any(patterns.matches(p, n) for p in wanted))
    return list(dict.fromkeys([*exact, *covered]))[:MOST_PATTERNS]


def _rows(ids: list[UUID]) -> Iterator[tuple[Any, Any, Any]]:
    for start in range(0, len(ids), _CHUNK):
        rows = Action.objects.filter(pk__in=ids[start : start + _CHUNK]).order_by("-pk")
        yield from rows.values_list("params", "context", "resource")


def _walk(parts: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    todo: list[tuple[Path, Any]] = [((root,), value) for root, value in parts.items()]
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict) and value and len(path) <= MOST_DEPTH:
            todo += [((*path, name), value[name]) for name in value]
        elif len(path) > 1:
            yield path, value


def _step(name: str) -> str:
    """Write one step; nothing for a name in which something hides."""
    if _NAME.fullmatch(name) and name not in dialect.RESERVED:
        return f".{name}"
    if len(name) > LONGEST * 2 or text_safety.visible_line(name) != name:
        return ""
    return f"[{json.dumps(name, ensure_ascii=False)}]"


def _text(value: str) -> str:
    shown = value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
    return f"“{text_safety.visible_line(shown)}”"


def _number(value: float) -> str:
    return canonical.canonical_bytes(value).decode()
