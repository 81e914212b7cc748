"""Which values may a field of a rule hold?

A field is a function from what somebody wrote to the value in its normal form. It
raises ``Unfit`` with a sentence, or with a problem for each place inside the value.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

from governance import strict_numbers, text_safety
from governance.errors import Problem
from policies import cel, dialect, durations, patterns, rules

REQUIRED = object()

SLUG = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")
ACTION = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
MEMBER = re.compile(
    r"(?:params|context)(?:\.[A-Za-z_][A-Za-z0-9_]*)+"
    r"|resource\.(?:type|id)|agent\.(?:name|environment)"
)


class Unfit(Exception):
    """A value that the field cannot hold."""

    def __init__(self, detail: str, problems: Iterable[Problem] = ()) -> None:
        super().__init__(detail)
        self.problems = list(problems) or [Problem("", "invalid", detail)]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads a value, and says in JSON Schema what a file may write there.

    The schema is for editors. It calls nothing wrong that is right; not all that is
    wrong can be seen by it.
    """

    read: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def __call__(self, value: Any) -> Any:
        return self.read(value)


def takes(**schema: Any) -> Callable[[Callable[[Any], Any]], Reader]:
    """Say in JSON Schema what a function reads."""
    return lambda read: Reader(read, schema)


def whole_text(pattern: re.Pattern[str]) -> str:
    """Return a pattern of the whole text, as JSON Schema writes it."""
    return f"^(?:{pattern.pattern})$"


# What YAML takes for a number, or for true, is read as it is written.
WORDS: Mapping[str, Any] = {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True, slots=True)
class Field:
    """How to read one field, and what it holds when it is left out."""

    read: Reader
    default: Any = REQUIRED


Form = Mapping[str, Field]


def read_form(form: Form, raw: Any) -> dict[str, Any]:
    """Return every field of the form in its normal form. Raises ``Unfit``.

    A field that is null counts as left out.
    """
    if not isinstance(raw, dict):
        raise Unfit(f"Write the fields {', '.join(form)} here.")
    found = {name: raw[name] for name in raw if raw[name] is not None}
    problems = [unknown(name, form) for name in raw if name not in form]
    body = {}
    for name, field in form.items():
        if name in found:
            try:
                body[name] = field.read(found[name])
            except Unfit as unfit:
                problems += [under(name, problem) for problem in unfit.problems]
        elif field.default is REQUIRED:
            problems.append(Problem(f"/{name}", "required", f"Write {name} as well."))
        else:
            body[name] = field.default
    if problems:
        raise Unfit("Some fields do not fit.", problems)
    return body


def form(fields: Form, read: Callable[[Any], Any] | None = None) -> Reader:
    """Read a form of its own inside a field. ``read`` may look at more than fields."""
    return Reader(read or partial(read_form, fields), object_schema(fields))


def object_schema(fields: Form) -> dict[str, Any]:
    required = [name for name, each in fields.items() if each.default is REQUIRED]
    return {
        "type": "object",
        "properties": {name: _property(each) for name, each in fields.items()},
        "required": required,
        "additionalProperties": False,
    }


def _property(field: Field) -> dict[str, Any]:
    schema = dict(field.read.schema)
    if field.default is REQUIRED or field.default in (None, "", []):
        return schema
    return schema | {"default": field.default}


def unknown(name: Any, known: Iterable[str]) -> Problem:
    """Name a key nobody asked for, and the one that was probably meant."""
    detail = f"There is no such key. {nearest(name, known)}"
    return Problem(text_safety.pointer([name]), "unknown_field", detail)


def nearest(name: Any, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(str(name), known, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"There are {', '.join(known[:20])}." if known else "There are none."


def under(place: str | int, problem: Problem) -> Problem:
    path = text_safety.pointer([place]) + problem.path
    return Problem(path, problem.code, problem.detail)


def text(longest: int) -> Reader:
    """One line. Line breaks, as YAML's block texts have them, count as spaces."""

    @takes(**WORDS)
    def read(value: Any) -> str:
        line = " ".join(_string(value).split())
        if problem := text_safety.check_identifier(line, ""):
            raise Unfit(problem.detail, [problem])
        return _at_most(longest, line)

    return read


def name(form: re.Pattern[str], longest: int, means: str) -> Reader:
    @takes(**WORDS, pattern=whole_text(form), maxLength=longest)
    def read(value: Any) -> str:
        if not form.fullmatch(_at_most(longest, _string(value))):
            raise Unfit(f"{text_safety.excerpt(value)} does not fit here: {means}.")
        return str(value)

    return read


slug = name(
    SLUG, 100, "use lower-case letters and digits, with single hyphens between them"
)
action_name = name(ACTION, 100, "write a lower-case dotted name like refund.create")
member = name(MEMBER, 200, "write a path like params.customer_id or resource.id")


@takes(type="string", pattern="^[a-z][a-z0-9_]*$", maxLength=60)
def lookback_name(value: Any) -> str:
    name = _at_most(60, _string(value))
    if name in dialect.RESERVED:
        raise Unfit(f"{name} is a word of the condition language: choose another.")
    if not cel.is_lookback_name(name):
        raise Unfit("Use lower-case letters, digits and underscores, a letter first.")
    return name


@takes(type="string", examples=["UTC", "Europe/Berlin", "America/New_York"])
def time_zone(value: Any) -> str:
    if _string(value) not in zoneinfo.available_timezones():
        near = nearest(value, zoneinfo.available_timezones())
        hint = near if near.startswith("Did") else "Write one like Europe/Berlin."
        raise Unfit(f"{text_safety.excerpt(value)} is no time zone. {hint}")
    return str(value)


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")


@takes(type="array", items={"enum": list(DAYS)}, minItems=1, uniqueItems=True)
def days(value: Any) -> list[str]:
    """Days of the week, in their order."""
    read = list_of(_day, least=1)
    return sorted(read(value), key=DAYS.index)


@takes(enum=list(DAYS))
def _day(value: Any) -> str:
    if value not in DAYS:
        raise Unfit(f"Write one of {', '.join(DAYS)}.")
    return str(value)


@takes(
    type="array",
    items={"type": "string", "pattern": whole_text(HOURS)},
    minItems=1,
    uniqueItems=True,
)
def hours(value: Any) -> list[str]:
    """Stretches of a day, in order and apart: ["09:00-12:00", "13:00-17:00"]."""
    found = sorted(list_of(_stretch, least=1)(value))
    spans = [minutes(each) for each in found]
    for (_, end), (begin, _) in itertools.pairwise(spans):
        if begin < end:
            raise Unfit("These hours overlap.")
    return found


@takes(type="string", pattern=whole_text(HOURS))
def _stretch(value: Any) -> str:
    text = _string(value)
    if not HOURS.fullmatch(text):
        raise Unfit(f"{text_safety.excerpt(text)} are no hours: write 09:00-17:00.")
    begin, end = minutes(text)
    if not begin < end <= 24 * 60:
        raise Unfit("The hours must end later than they begin, at 24:00 at the latest.")
    return text


def minutes(hours: str) -> tuple[int, int]:
    """Return "09:00-17:00" as minutes after midnight."""
    begin, end = (text.split(":") for text in hours.split("-"))
    return int(begin[0]) * 60 + int(begin[1]), int(end[0]) * 60 + int(end[1])


@takes(type=["string", "number"], format="date")
def day(value: Any) -> str:
    try:
        return date.fromisoformat(_string(value)).isoformat()
    except ValueError:
        raise Unfit("Write a day like 2026-12-25.") from None


@takes(type="string", format="date-time")
def moment(value: Any) -> str:
    """A moment with its time zone, in its normal form: UTC.

    Windows and calendars reach some years to either side of it.
    """
    try:
        at = datetime.fromisoformat(_string(value))
        if at.tzinfo is None or not 1970 <= at.year < 3000:
            raise ValueError
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise Unfit("Write a moment like 2026-11-25T14:00:00Z.") from None


def optional(read: Reader) -> Reader:
    """Take an empty text for what it is: nothing."""
    return Reader(
        lambda value: "" if value == "" else read(value),
        {"anyOf": [read.schema, {"const": ""}]},
    )


@takes(type="string", pattern=whole_text(patterns.PATTERN), maxLength=100)
def action_pattern(value: Any) -> str:
    pattern = _at_most(100, _string(value))
    if not patterns.is_pattern(pattern):
        raise Unfit(
            f"{text_safety.excerpt(pattern)} is no pattern: write refund.create, "
            "refund.* or *."
        )
    return pattern


@takes(**WORDS, maxLength=cel.MAX_LENGTH)
def condition(value: Any) -> str:
    """The text alone: whether it compiles depends on the other rules."""
    return _at_most(cel.MAX_LENGTH, _string(value).strip())


def one_of(choices: type[StrEnum], *, without: Iterable[str] = ()) -> Reader:
    known = [str(choice) for choice in choices if choice not in without]

    @takes(enum=known)
    def read(value: Any) -> str:
        if value not in known:
            raise Unfit(f"Write one of {', '.join(known)}.")
        return str(value)

    return read


def whole(least: int, most: int) -> Reader:
    @takes(type="integer", minimum=least, maximum=most)
    def read(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Unfit(f"Write a whole number from {least} to {most}.")
        if not least <= value <= most:
            raise Unfit(f"{value} is out of range: {least} to {most}.")
        return value

    return read


@takes(type="boolean")
def yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit("Write true or false.")
    return value


@takes(type="string", pattern=whole_text(durations.FORM))
def duration(value: Any) -> str:
    """A duration as policy files write it: that is its normal form, too."""
    if isinstance(value, timedelta):
        return durations.text(value)
    try:
        return durations.text(durations.parse(_string(value)))
    except ValueError as error:
        raise Unfit(str(error)) from None


@takes(anyOf=[{"enum": list(map(str, rules.Period))}, duration.schema])
def window(value: Any) -> str:
    """How far back: a duration, or a period of the calendar."""
    return str(value) if value in list(rules.Period) else str(duration(value))


def list_of(read: Reader, *, least: int = 0, distinct: bool = True) -> Reader:
    limits = {"minItems": least} if least else {}
    if distinct:
        limits["uniqueItems"] = True

    @takes(type="array", items=read.schema, **limits)
    def read_all(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise Unfit("Write a list: [one, another].")
        items: list[Any] = []
        problems: list[Problem] = []
        for index, item in enumerate(value):
            try:
                items.append(read(item))
            except Unfit as unfit:
                problems += [under(index, problem) for problem in unfit.problems]
            else:
                if distinct and items[-1] in items[:-1]:
                    twice = Problem(f"/{index}", "duplicate", "This is listed twice.")
                    problems.append(twice)
        if len(value) < least:
            problems.append(Problem("", "empty", "Write at least one here."))
        if problems:
            raise Unfit("Some items do not fit.", problems)
        return items

    return read_all


def sorted_list_of(read: Reader, *, least: int = 0) -> Reader:
    """Read a list whose order says nothing."""
    read_all = list_of(read, least=least)
    return Reader(lambda value: sorted(read_all(value)), read_all.schema)


@takes(anyOf=[{"type": "string"}, list_of(member, least=1).schema])
def key(value: Any) -> str:
    """One path, or several: a list, or with commas between them."""
    if isinstance(value, list):
        paths = list_of(member, least=1)(value)
    else:
        paths = [member(part.strip()) for part in _string(value).split(",")]
    return _at_most(500, ", ".join(paths))


def map_of(key: Reader, read: Reader) -> Reader:
    """Read an object whose keys are names somebody chose."""

    @takes(
        type="object",
        propertyNames=key.schema,
        additionalProperties=read.schema,
    )
    def read_all(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Unfit("Write an object here.")
        found: dict[str, Any] = {}
        problems: list[Problem] = []
        for name, item in value.items():
            try:
                found[key(name)] = read(item)
            except Unfit as unfit:
                problems += [under(name, problem) for problem in unfit.problems]
        if problems:
            raise Unfit("Some items do not fit.", problems)
        return found

    return read_all


@takes(type="number")
def number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit("Write a number.")
    if problems := list(_not_portable(value, ())):
        raise Unfit("This number does not fit.", problems)
    return value


@takes(type="object")
def json_object(value: Any) -> dict[str, Any]:
    """Only what every database and every reader of the record keeps unchanged."""
    if not isinstance(value, dict):
        raise Unfit("Write an object here.")
    if problems := list(_not_portable(value, ())):
        raise Unfit("Some values do not fit.", problems)
    return value


def _not_portable(value: Any, path: tuple[str | int, ...]) -> Iterable[Problem]:
    match value:
        case str():
            if re.search(f"[\0{text_safety.SURROGATES}]", value):
                place = text_safety.pointer(path)
                yield Problem(place, "unsafe_text", "Remove the control character.")
        case bool() | None:
            pass
        case int() | float():
            try:
                strict_numbers.read(json.dumps(value))
            except strict_numbers.NotPortable as error:
                yield Problem(text_safety.pointer(path), error.code, str(error))
        case list():
            for index, item in enumerate(value):
                yield from _not_portable(item, (*path, index))
        case dict():
            for key, item in value.items():
                yield from _not_portable(key, (*path, key))
                yield from _not_portable(item, (*path, key))
        case _:
            yield Problem(text_safety.pointer(path), "type", "This is not JSON.")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit("Write a text here.")
    if re.search(f"[\0{text_safety.SURROGATES}]", value):
        raise Unfit("Remove the control character.")
    return value


def _at_most(longest: int, value: str) -> str:
    if len(value) > longest:
        raise Unfit(f"Write at most {longest} characters; these are {len(value)}.")
    return value
