"""What may hide in a text, and how do people get to see it?

Escaping HTML does nothing against a right-to-left override, a zero-width space or a
sentence spelled in tag characters. Identifiers with such characters are refused; in
free text they are made visible, because there they may be honest.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from governance.errors import Problem

MAX_MARKS = 8
EXCERPT = 40

# Every range is spelled out: the tables of ``unicodedata`` differ between versions of
# Python, and the same identifier must get the same answer on all of them.
_CONTROLS = r"\x00-\x1f\x7f-\x9f"
_LINE_SEPARATORS = r"\u2028\u2029"
_IGNORABLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_OTHER_FORMATS = (
    r"\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\ufff9-\ufffb\U000110bd\U000110cd"
    r"\U00013430-\U0001343f"
)
_BLANK = r"\u2800"
_PRIVATE = r"\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"
SURROGATES = r"\ud800-\udfff"
NONCHARACTERS = r"\ufdd0-\ufdef" + "".join(
    rf"\U{plane:04x}fffe\U{plane:04x}ffff" for plane in range(17)
)

_CONTROL = re.compile(f"[{_CONTROLS}]")
_HIDDEN = re.compile(
    f"[{_CONTROLS}{_LINE_SEPARATORS}{_IGNORABLE}{_OTHER_FORMATS}{_BLANK}{_PRIVATE}"
    f"{SURROGATES}{NONCHARACTERS}]"
)
_OTHER_BLANKS = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_LINE_BREAKS_AND_TABS = re.compile(r"[\t\n]|\r(?=\n)")
_EMOJI_STYLES = "\ufe0e\ufe0f"


def check_identifier(text: str, path: str) -> Problem | None:
    """Say what makes this text unfit to name an action or a resource.

    Two names that look alike must be the same name, so nothing invisible is let in.
    """
    if control := _CONTROL.search(text):
        return Problem(
            path,
            "control_character",
            f"Remove the control character {name_of(control[0])}: names are one line.",
        )
    if hidden := _HIDDEN.search(text):
        return Problem(
            path,
            "unsafe_text",
            f"Remove {name_of(hidden[0])}: people cannot see it in a name.",
        )
    return check_text(text, path)


def check_text(text: str, path: str) -> Problem | None:
    """Say what makes this text unreadable, whatever it is for.

    Only a pile of combining marks does: it paints over the lines around it. Markup,
    formulas and hidden characters are a matter of how a text is shown.
    """
    if text.isascii():
        return None

    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if category in ("Mn", "Me"):
            marks += 1
        elif category != "Cf":
            # A format character does not end the pile: marks go on stacking over it.
            marks = 0
        if marks > MAX_MARKS:
            return Problem(
                path,
                "unsafe_text",
                f"Put at most {MAX_MARKS} combining marks on a letter; "
                f"{name_of(char)} is one too many.",
            )
    return None


def check_texts(value: Any, path: tuple[str | int, ...] = ()) -> Problem | None:
    """Return the first problem with a string or key of the JSON value at this path."""
    members: Iterable[tuple[str | int, Any]]
    match value:
        case str():
            return check_text(value, pointer(path))
        case list():
            members = enumerate(value)
        case dict():
            members = value.items()
        case _:
            return None

    for key, member in members:
        place = (*path, key)
        problem = check_text(str(key), pointer(place)) or check_texts(member, place)
        if problem:
            return problem
    return None


def visible(text: str) -> str:
    """Return the text with everything invisible spelled out, like ``⟨U+202E⟩``.

    Tabs and line breaks stay, and so does the selector that colours an emoji. What
    joins emoji or Persian letters is spelled out as well: ugly, and nothing hides.
    """
    return _HIDDEN.sub(_reveal, text)


def visible_line(text: str) -> str:
    """Like ``visible``, for places that hold one line: tabs and line breaks too."""
    return _LINE_BREAKS_AND_TABS.sub(lambda found: _spelled(found[0]), visible(text))


def hidden(text: str, *, one_line: bool = False) -> list[int]:
    """Return the places of what ``visible``, or ``visible_line``, spells out.

    Blanks that are not plain spaces are among them: they look like some.
    """
    places = {f.start() for f in _HIDDEN.finditer(text) if _reveal(f) != f[0]}
    places |= {found.start() for found in _OTHER_BLANKS.finditer(text)}
    if one_line:
        breaks = _LINE_BREAKS_AND_TABS.finditer(text)
        places |= {found.start() for found in breaks}
    return sorted(places)


def excerpt(text: str) -> str:
    """Return the start of a text, quoted and short enough for a message."""
    start = visible_line(text[: EXCERPT + 1])
    if len(start) > EXCERPT:
        start = f"{start[: EXCERPT - 1]}…"
    return f'"{start}"'


def pointer(path: Iterable[str | int]) -> str:
    """Return the RFC 6901 pointer to a place, fit to be shown on one line."""
    tokens = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{visible_line(token)}" for token in tokens)


def name_of(char: str) -> str:
    """Return what a character is called: ``U+202E RIGHT-TO-LEFT OVERRIDE``."""
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()


def _reveal(found: re.Match[str]) -> str:
    char, before = found[0], found.string[: found.start()][-1:]
    if _LINE_BREAKS_AND_TABS.match(found.string, found.start()):
        return char
    if char in _EMOJI_STYLES and before and unicodedata.category(before) == "So":
        return char
    return _spelled(char)


def _spelled(char: str) -> str:
    return f"⟨U+{ord(char):04X}⟩"
