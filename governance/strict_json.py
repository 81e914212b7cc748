"""What did the caller send, read in the only way it can be read?

One loader stands in front of every JSON body. Whatever two parsers could understand
differently (duplicate keys, numbers that do not fit a double, broken Unicode) is
refused, so that what is judged, shown, hashed and executed is the same thing.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, NoReturn

from governance import strict_numbers
from governance.errors import Malformed, Problem
from governance.strict_numbers import NotPortable
from governance.text_safety import (
    NONCHARACTERS,
    SURROGATES,
    excerpt,
    name_of,
    pointer,
)

MAX_BODY_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_MEMBERS = 10_000
MAX_KEY_CHARACTERS = 128
MAX_STRING_BYTES = 16 * 1024

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[][{}]', re.DOTALL)
_RAW_SPACE = re.compile(r"[\t\n\r]")
_BROKEN = re.compile(f"[{SURROGATES}{NONCHARACTERS}]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class _Members(list[tuple[str, Any]]):
    """An object as it was written: in order, duplicates and all."""


class _Number(str):
    """A number as it was written, which is more than a float remembers."""

    __slots__ = ()


# Not strict about raw control characters: they are refused below, with their place.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_Members,
    parse_float=_Number,
    parse_int=_Number,
    parse_constant=_Number,
    strict=False,
)


def loads(raw: bytes, *, what: str = "body") -> dict[str, Any]:
    """Read one JSON object, or raise Malformed with a code and a JSON pointer.

    Returns dicts, lists, strings, booleans, None and numbers, where a number that is
    an integer by value is an ``int`` however it was written: this is the form that is
    stored, judged, digested and returned. The work is linear in the size of the body.
    """
    check_size(len(raw), what=what)
    text = _decode(raw, what)
    try:
        _check_shape(text)
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        _refuse(
            "invalid_json",
            f"The {what} is not valid JSON at line {error.lineno}, "
            f"column {error.colno}: {error.msg}.",
        )
    if not isinstance(document, _Members):
        _refuse("object_expected", f"The {what} must be a JSON object: {{…}}.")
    return _Reader().mapping(document)


def check_size(size: int, *, what: str = "body") -> None:
    """Refuse a body by its size alone, before anybody reads or parses it."""
    if size > MAX_BODY_BYTES:
        _refuse(
            "body_too_large",
            f"The {what} is larger than {MAX_BODY_BYTES} bytes. Send less, or send a "
            "reference to the data.",
            status=413,
        )


def _refuse(
    code: str,
    detail: str,
    *,
    path: Iterable[str | int] = (),
    status: int | None = None,
) -> NoReturn:
    problem = Problem(pointer(path), code, detail)
    raise Malformed(detail, code=code, status=status, errors=[problem]) from None


def _decode(raw: bytes, what: str) -> str:
    if not raw.strip():
        _refuse("empty_body", f"The {what} is empty. Send a JSON object.")
    if json.detect_encoding(raw) != "utf-8":
        _refuse("charset", f"Send the {what} as UTF-8 without a byte order mark.")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        _refuse(
            "invalid_utf8",
            f"The {what} is not valid UTF-8 at byte offset {error.start}.",
        )


def _check_shape(text: str) -> None:
    """Count the depth before a parser recurses into it.

    Also finds raw tabs and line breaks in strings, the only control characters that
    are allowed and still must be written as escapes.
    """
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        part = found[0]
        if part in "[{":
            depth += 1
        elif part in "]}":
            depth -= 1
        elif raw := _RAW_SPACE.search(part):
            at = found.start() + raw.start()
            message = "Write tabs and line breaks in strings as \\t, \\n and \\r"
            raise json.JSONDecodeError(message, text, at)
        if depth > MAX_DEPTH:
            _refuse("too_deep", f"Nest objects and lists at most {MAX_DEPTH} deep.")


class _Reader:
    """Turns what the parser saw into plain values, knowing where it is."""

    def __init__(self) -> None:
        self.path: list[str | int] = []

    def refuse(self, code: str, detail: str) -> NoReturn:
        _refuse(code, detail, path=self.path)

    def value(self, node: Any) -> Any:
        match node:
            case _Members():
                return self.mapping(node)
            case list():
                return self.sequence(node)
            case _Number():
                return self.number(node)
            case str():
                return self.string(node)
            case _:
                return node

    def mapping(self, members: _Members) -> dict[str, Any]:
        self.count(members)
        result: dict[str, Any] = {}
        normalized = set()
        for key, node in members:
            if len(key) > MAX_KEY_CHARACTERS:
                self.refuse(
                    "key_too_long",
                    f"Use keys of at most {MAX_KEY_CHARACTERS} characters; "
                    f"{excerpt(key)} is longer.",
                )
            self.path.append(key)
            self.characters(key)
            if key in result:
                self.refuse("duplicate_key", f"Send the key {excerpt(key)} once.")
            form = unicodedata.normalize("NFC", key)
            if form in normalized:
                self.refuse(
                    "duplicate_key_normalized",
                    f"Send the key {excerpt(key)} once: two spellings of it are the "
                    "same text in Unicode's form NFC.",
                )
            normalized.add(form)
            result[key] = self.value(node)
            self.path.pop()
        return result

    def sequence(self, items: list[Any]) -> list[Any]:
        self.count(items)
        result = []
        for index, node in enumerate(items):
            self.path.append(index)
            result.append(self.value(node))
            self.path.pop()
        return result

    def count(self, members: list[Any]) -> None:
        if len(members) > MAX_MEMBERS:
            self.refuse(
                "too_many_members",
                f"Put at most {MAX_MEMBERS} members into one object or list; this one "
                f"has {len(members)}.",
            )

    def string(self, text: str) -> str:
        if len(text.encode(errors="surrogatepass")) > MAX_STRING_BYTES:
            self.refuse(
                "string_too_long",
                f"Send strings of at most {MAX_STRING_BYTES} bytes in UTF-8.",
            )
        self.characters(text)
        return text

    def characters(self, text: str) -> None:
        if broken := _BROKEN.search(text):
            self.refuse(
                "invalid_unicode",
                f"Remove {name_of(broken[0])}: it is not a Unicode character.",
            )
        if control := _CONTROL.search(text):
            self.refuse(
                "control_character",
                f"Remove the control character {name_of(control[0])}. Only tab, line "
                "feed and carriage return are allowed.",
            )

    def number(self, text: str) -> int | float:
        try:
            return strict_numbers.read(text)
        except NotPortable as reason:
            self.refuse(reason.code, str(reason))
