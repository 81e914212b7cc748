"""How does a person read the record? Kinds in words, and the details on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime

from governance.ledger import Kind
from governance.text_safety import visible_line

# What the other columns, or the page of the action, say already.
_KNOWN = {"request", "digest", "effective_at", "trace", "rules", "params", "resource"}
_KNOWN |= {"context", "reasons", "username"}
LONGEST = 160
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(\+00:00|Z)")


def kind(value: str) -> str:
    """Return a kind as people say it: "Stage opened"."""
    if value not in Kind.values:
        return value
    return Kind(value).label.capitalize()


def moment(at: datetime) -> str:
    """Say a time as every page of the record does, in the console's time zone."""
    return date_format(localtime(at), "DATETIME_FORMAT")


def details(data: Mapping[str, Any]) -> str:
    """Return what is worth reading at a glance, in the order it was written.

    The page of the event shows all of it.
    """
    line = visible_line(" · ".join(_parts(data)))
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _parts(data: Mapping[str, Any]) -> Iterator[str]:
    if changes := data.get("changes"):
        yield from (f"{name}: {_change(change)}" for name, change in changes.items())
    for name, value in data.items():
        if name not in _KNOWN and name != "changes" and value not in (None, "", [], {}):
            yield f"{name.replace('_', ' ')}: {_text(value)}"


def _change(change: Any) -> str:
    if not isinstance(change, dict):
        return _text(change)
    return f"{_text(change.get('old'))} → {_text(change.get('new'))}"


def _text(value: Any) -> str:
    match value:
        case None | "" | []:
            return "nothing"
        case bool():
            return "yes" if value else "no"
        case str() if _INSTANT.fullmatch(value):
            return moment(datetime.fromisoformat(value))
        case str():
            return " ".join(value.split())
        case list() if all(isinstance(item, str) for item in value):
            return ", ".join(value)
        case _:
            return json.dumps(value, ensure_ascii=False)
