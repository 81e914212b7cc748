"""How does a JSON value look to somebody who has to decide on it?

Complete, and never cut: whatever would run is on the page, one line per value, with
what could deceive the eye spelled out. Names are sorted as in the digest.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from approvals.console import links, readings
from governance import canonical, lookalikes, text_safety

LONG = 200
FLAGGED_LETTERS = 3
# From how many values on a part of them gets a heading of its own.
MANY = 12

# What stands between names on a page, or looks like that; a position; our own quotes.
_POSING = re.compile(r"[›>»❯⟩〉→]|^no[.\s]|^\"", re.IGNORECASE)  # noqa: RUF001

# A name in an object, or a position in a list, counted from 1.
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One value with its place.

    ``notes`` say what is not as it seems, ``reading`` how people read it.
    """

    path: Path
    kind: str
    text: str
    notes: tuple[str, ...] = ()
    reading: str = ""

    def steps(self) -> list[tuple[str, bool]]:
        """Return the way to it: each step, and whether it is a position in a list."""
        return [(_told_step(step), isinstance(step, int)) for step in self.path]

    def further_steps(self) -> list[tuple[str, bool]]:
        """Return the way from a heading that names the first step."""
        return self.steps()[1:]


def flatten(
    value: Any,
    path: Path = (),
    at: datetime | None = None,
    beside: Mapping[str, Any] | None = None,
) -> Iterator[Fact]:
    """Yield every value inside a JSON value, with the way that leads to it.

    ``at`` is now: times are read as so and so far away. ``beside`` are the values next
    to this one, where its currency may be.
    """
    if isinstance(value, dict) and value:
        for name in sorted(value):
            yield from flatten(value[name], (*path, name), at, value)
    elif isinstance(value, list) and value:
        for position, member in enumerate(value, start=1):
            yield from flatten(member, (*path, position), at, beside)
    else:
        kind, text = _told(value)
        name = next((step for step in reversed(path) if isinstance(step, str)), "")
        read = readings.reading(name, value, beside or {}, at)
        yield Fact(path, kind, text, tuple(_notes(path, value)), read)


@dataclass(frozen=True, slots=True)
class Part:
    """Values that belong together. Without a title they stand for themselves."""

    title: str
    facts: list[Fact]


def parts(facts: list[Fact]) -> list[Part]:
    """Return all values in their order, with a heading over each part that is large."""
    found: list[Part] = []
    for first, group in groupby(facts, lambda fact: fact.path[:1]):
        members = list(group)
        if len(members) >= MANY and len(members) < len(facts):
            found.append(Part(_told_step(first[0]), members))
        elif found and not found[-1].title:
            found[-1].facts.extend(members)
        else:
            found.append(Part("", members))
    return found


def _told_step(step: str | int) -> str:
    """Return a name as it is, or in quotes where it could be taken for a place."""
    if isinstance(step, int):
        return str(step)
    return json.dumps(step, ensure_ascii=False) if _poses(step) else step


def _poses(name: str) -> bool:
    """Whether it looks like several names, a position in a list, or nothing at all."""
    return not name.strip() or name != name.strip() or bool(_POSING.search(name))


def _told(value: Any) -> tuple[str, str]:
    match value:
        case str():
            return ("text", value) if value else ("empty text", "")
        case bool() | None:
            return "yes or no" if value is not None else "nothing", _plain(value)
        case int() | float():
            return "number", _plain(value)
        case dict():
            return "empty object", "{}"
        case _:
            return "empty list", "[]"


def _plain(value: bool | float | None) -> str:
    """Write it as it is hashed: 75 and 75.0 are the same number."""
    return canonical.canonical_bytes(value).decode()


def _notes(path: Path, value: Any) -> Iterator[str]:
    for name in path:
        if isinstance(name, str):
            yield from _warnings(name, "The name")
        if isinstance(name, str) and _poses(name):
            yield "The name is in quotes: it could be taken for something else."
    if isinstance(value, str):
        yield from _warnings(value, "This text")
        yield from links.notes(value)
        if value != value.strip():
            yield "This text starts or ends with blanks."
        if len(value) > LONG:
            yield f"{len(value):,} characters, all of them shown."


def _warnings(text: str, what: str) -> Iterator[str]:
    if text_safety.hidden(text):
        yield f"{what} holds hidden characters. They are spelled out in red."
    if strangers := lookalikes.strangers(text):
        letters = list(dict.fromkeys(text[place] for place in strangers))
        told = ", ".join(map(text_safety.name_of, letters[:FLAGGED_LETTERS]))
        yield f"{what} may not say what it seems to. It has {told}."
    if _runs_both_ways(text):
        yield f"{what} runs from right to left in places: read its parts one by one."


def _runs_both_ways(text: str) -> bool:
    """Whether letters of either direction, or digits among them, change places."""
    if text.isascii():
        return False
    ways = {unicodedata.bidirectional(char) for char in text}
    return bool(ways & {"R", "AL"}) and bool(ways & {"L", "EN", "AN"})
