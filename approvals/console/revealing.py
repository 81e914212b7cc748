"""How is a text shown that somebody may have written to deceive?

It runs nothing and hides nothing: what cannot be seen is spelled out, what looks like
something else is named, and of an address the part that counts stands out. It can be
copied as plain text, in which what was spelled out stays so.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Mapping

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from approvals.console import links
from governance import lookalikes, text_safety

# What Unicode gives no name of its own.
_NAMELESS = {"Cc": "control character", "Co": "private character", "Cs": "half of one"}


def reveal(text: str) -> SafeString:
    """Return a text as HTML. The direction of what is around it stays as it is."""
    return _shown(text, text_safety.hidden(text))


def reveal_line(text: str) -> SafeString:
    """Like ``reveal``, for places that hold one line."""
    return _shown(text, text_safety.hidden(text, one_line=True))


def _shown(text: str, hidden: list[int]) -> SafeString:
    marks = {place: _look_alike(text[place]) for place in lookalikes.strangers(text)}
    marks |= {place: _hidden(text[place]) for place in hidden}
    parts = _Parts(text, dict(sorted(marks.items())))
    return format_html('<bdi dir="ltr">{}</bdi>', parts.html())


class _Parts:
    """A text, with marks in place of some of its characters."""

    def __init__(self, text: str, marks: Mapping[int, SafeString]) -> None:
        self.text, self.marks, self.places = text, marks, list(marks)

    def html(self) -> SafeString:
        return _joined(self._around_hosts())

    def _around_hosts(self) -> Iterator[str]:
        start = 0
        for first, end in links.hosts(self.text):
            yield from self._between(start, first)
            host = _joined(self._between(first, end))
            yield format_html('<b class="cs-host">{}</b>', host)
            start = end
        yield from self._between(start, len(self.text))

    def _between(self, start: int, end: int) -> Iterator[str]:
        first, last = (bisect_left(self.places, place) for place in (start, end))
        for place in self.places[first:last]:
            yield self.text[start:place]
            yield self.marks[place]
            start = place + 1
        yield self.text[start:end]


def _joined(parts: Iterator[str]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))


def _hidden(char: str) -> SafeString:
    """Spell it out, with its name for those who hover or listen."""
    return format_html(
        '<span class="cs-hidden" title="{name}">⟨U+{code}'
        '<span class="cs-unseen"> {name}</span>⟩</span>',
        name=_name(char),
        code=f"{ord(char):04X}",
    )


def _look_alike(char: str) -> SafeString:
    """Show it, and what it is. What is copied is the letter alone."""
    return format_html(
        '<span class="cs-alike" title="{name}">{char}<small>U+{code}'
        '<span class="cs-unseen"> {name}</span></small></span>',
        name=_name(char),
        char=char,
        code=f"{ord(char):04X}",
    )


def _name(char: str) -> str:
    return unicodedata.name(char, "") or _NAMELESS.get(unicodedata.category(char), "")
