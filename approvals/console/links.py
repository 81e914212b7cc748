"""Where does an address lead? Told from its text as browsers read it, never followed."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Browsers take any number of slashes, either way, for those they know best. Each of the
# others is tried where a word begins, and no further than a scheme is long: so a text
# takes time in proportion to its length.
_ADDRESS = re.compile(
    r"\b(?P<scheme>https?|wss?|ftp)(?::[/\\]*|:)(?P<user>[^\s/\\?#]*@)?"
    r"(?P<host>[^\s/\\?#@]+)"
    r"|(?<![a-z0-9+.-])(?P<other>[a-z][a-z0-9+.-]{0,30})://(?P<by>[^\s/?#]*@)?(?P<place>[^\s/?#@]+)",
    re.IGNORECASE,
)
_ACTIVE = re.compile(r"\s*(javascript|vbscript|data|blob|file):", re.IGNORECASE)
# No name is longer; working out a longer one could take minutes.
_LONGEST_NAME = 253
_ADDRESS_OF_A_MACHINE = re.compile(r"[\d.]+(:\d+)?|\[.*|0x[0-9a-f]+", re.IGNORECASE)


def hosts(text: str) -> list[tuple[int, int]]:
    """Return from where to where the addresses in a text name what they lead to."""
    if ":" not in text:
        return []
    return [
        found.span("host" if found["host"] else "place")
        for found in _ADDRESS.finditer(text)
    ]


def notes(text: str) -> Iterator[str]:
    """Say what is odd about the addresses in a text."""
    if found := _ACTIVE.match(text):
        yield f"This is a {found[1].lower()}: address. It does not lead to a website."
    for found in _ADDRESS.finditer(text) if ":" in text else ():
        host = found["host"] or found["place"]
        if (found["user"] or found["by"]) and (found["host"] or "@" in text):
            yield f"This address leads to {host}, not to what stands before the @."
        yield from _about(host)


def _about(host: str) -> Iterator[str]:
    name = re.sub(r":\d*$", "", host)
    if len(name) > _LONGEST_NAME:
        yield f"This address leads nowhere: its name has {len(name):,} characters."
    elif "xn--" in name.lower():
        yield f"{name} is written {_spelled(name)} in its own letters."
    elif not name.isascii():
        yield f"{name} is {_plain(name)} to a computer."
    elif _ADDRESS_OF_A_MACHINE.fullmatch(name):
        yield f"This address leads to a machine by its number: {name}."


def _spelled(name: str) -> str:
    try:
        return name.encode("ascii").decode("idna")
    except UnicodeError:
        return "in no way that can be read"


def _plain(name: str) -> str:
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return "no name"
