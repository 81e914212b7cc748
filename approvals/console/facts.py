"""How does a JSON value look to somebody who has to decide on it?

Complete, and never cut: whatever would run is on the page, one line per value, with
what could deceive the eye spelled out. Names are sorted as in the digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from governance import canonical, text_safety

LONG = 200
FLAGGED_LETTERS = 3

# A name in an object, or a position in a list, counted from 1.
Path = tuple[str | int, ...]
_SPELLED = re.compile(r"(⟨U\+[0-9A-F]{4,6}⟩)")


@dataclass(frozen=True, slots=True)
class Fact:
    """One value with its place. ``notes`` say what is not as it seems."""

    path: Path
    kind: str
    text: str
    notes: tuple[str, ...] = ()

    def steps(self) -> list[tuple[str, bool]]:
        """Return the way to it: each step, and whether it is a position in a list."""
        return [(str(step), isinstance(step, int)) for step in self.path]


def flatten(value: Any, path: Path = ()) -> Iterator[Fact]:
    """Yield every value inside a JSON value, with the way that leads to it."""
    if isinstance(value, dict) and value:
        for name in sorted(value):
            yield from flatten(value[name], (*path, name))
    elif isinstance(value, list) and value:
        for position, member in enumerate(value, start=1):
            yield from flatten(member, (*path, position))
    else:
        kind, text = _told(value)
        yield Fact(path, kind, text, tuple(_notes(path, value)))


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
    if isinstance(value, str):
        yield from _warnings(value, "This text")
        if value != value.strip():
            yield "This text starts or ends with blanks."
        if len(value) > LONG:
            yield f"{len(value):,} characters, all of them shown."


def _warnings(text: str, what: str) -> Iterator[str]:
    if text_safety.visible(text) != text:
        yield f"{what} holds hidden characters. They are spelled out in red."
    if text_safety.is_confusable(text):
        told = ", ".join(text_safety.name_of(letter) for letter in _strangers(text))
        yield f"{what} may not say what it seems to. It has {told}."


def _strangers(text: str) -> list[str]:
    """Return the first few letters that an English reader takes for others."""
    words = (word for word in text.split() if text_safety.is_confusable(word))
    letters = (char for word in words for char in word if char.isalpha())
    found = dict.fromkeys(char for char in letters if not char.isascii())
    return list(found)[:FLAGGED_LETTERS]


def reveal(text: str) -> SafeString:
    """Return the text as HTML that runs nothing and hides nothing.

    Hidden characters stand out, as themselves they are gone; the direction of the text
    around it stays as it is.
    """
    return _isolated(text_safety.visible(text))


def reveal_line(text: str) -> SafeString:
    """Like ``reveal``, for places that hold one line."""
    return _isolated(text_safety.visible_line(text))


def _isolated(visible: str) -> SafeString:
    parts = format_html_join("", "{}", ((_part(p),) for p in _SPELLED.split(visible)))
    return format_html('<bdi dir="ltr">{}</bdi>', parts)


def _part(text: str) -> str:
    if not _SPELLED.fullmatch(text):
        return text
    return format_html('<span class="cs-hidden">{}</span>', text[1:-1])
