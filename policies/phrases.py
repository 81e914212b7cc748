"""How does a person say what a comparison found? ``amount is 75, at least 50``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from governance.text_safety import visible_line
from policies import reading
from policies.situation import CannotEvaluate

LONGEST = 80
Value = Callable[[str], Any]

# What is said of the left side when the relation holds, and when it does not.
_SAID = {
    "==": ("{is_}", "{is_}, not {other}"),
    "!=": ("{is_}, not {other}", "{is_}"),
    "<": ("{is_}, less than {other}", "{is_}, not less than {other}"),
    "<=": ("{is_}, at most {other}", "{is_}, more than {other}"),
    ">": ("{is_}, more than {other}", "{is_}, at most {other}"),
    ">=": ("{is_}, at least {other}", "{is_}, less than {other}"),
    "in": ("{is_}, one of {other}", "{is_}, none of {other}"),
}
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|risk|action|now")
_HAS = re.compile(r"has\(\s*([\w.]+)\s*\)")
_LITERAL = re.compile(
    r"-?\d+(?:\.\d+)?|\"[^\"\\]*\"|'[^'\\]*'|true|false|null|\[[^\[\]]*\]"
)
_KNOWN = {
    "agent.name": "the agent",
    "agent.environment": "the environment",
    "agent.tags": "the agent's tags",
    "resource.type": "the kind of resource",
    "resource.id": "the resource",
    "resource.sensitivity": "the resource's sensitivity",
    "risk": "the risk",
    "action": "the action",
    "now": "the time",
}
_HISTORY = {
    "count": "the number of earlier {}",
    "sum": "the sum of earlier {}",
    "distinct": "the number of different {}",
}
_CALENDAR = {
    "open": ("it is within {} hours", "it is outside {} hours"),
    "workday": ("it is a day of work for {}", "it is a day off for {}"),
}


def words(source: str, holds: bool, value: Value) -> str:
    """Say why this condition, that cannot be cut further, holds or does not."""
    if found := _HAS.fullmatch(source):
        return f"{name(found[1])} is {'given' if holds else 'missing'}"
    if said := _calendar(source, holds):
        return said
    if compared := reading.compared(source):
        left, relation, right = compared
        if _LITERAL.fullmatch(left) and not _LITERAL.fullmatch(right):
            left, relation, right = right, _turned(relation), left
        said = _SAID[relation][not holds]
        is_ = f"{name(left)} is {_shown(left, value)}"
        return said.format(is_=is_, other=_other(right, value))
    return f"{name(source)} is {'true' if holds else 'not true'}"


def name(source: str) -> str:
    """Name a fact as people do; what is more than a name stays as it was written."""
    if source in _KNOWN:
        return _KNOWN[source]
    if not _PATH.fullmatch(source):
        return _cut(visible_line(source))
    root, *names = source.split(".")
    if root == "history" and len(names) == 2:
        return _HISTORY[names[1]].format(_plain(names[0]))
    return _plain(" ".join(names))


def listed(phrases: Sequence[str]) -> str:
    """Join what decided: ``a, b and c``. What is said twice is said once."""
    said = _merged(list(dict.fromkeys(phrases)))
    if len(said) < 2:
        return "".join(said)
    if any("," in phrase for phrase in said):
        return f"{'; '.join(said[:-1])}; and {said[-1]}"
    return f"{', '.join(said[:-1])} and {said[-1]}"


def _merged(phrases: Sequence[str]) -> list[str]:
    """Say once what two phrases in a row begin with: ``amount is 75, at least 50 and
    at most 200``. What has a value need not be said to be given."""
    found: list[str] = []
    for phrase in phrases:
        begin, comma, rest = phrase.partition(", ")
        if found and comma and found[-1].startswith(f"{begin}, "):
            found[-1] = f"{found[-1]} and {rest}"
        else:
            found.append(phrase)
    return [phrase for phrase in found if not _is_implied(phrase, found)]


def _is_implied(phrase: str, phrases: Sequence[str]) -> bool:
    named = phrase.removesuffix(" is given")
    return named != phrase and any(
        other != phrase and other.startswith(f"{named} is ") for other in phrases
    )


def shown(value: Any) -> str:
    """A value as a sentence holds it."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    text = (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, default=str)
    )
    return _cut(visible_line(text)) or "empty"


def _shown(source: str, value: Value) -> str:
    try:
        return shown(value(source))
    except CannotEvaluate:
        return "unknown"


def _other(source: str, value: Value) -> str:
    """The other side: as a value, and what it was worked out from."""
    worth = _shown(source, value)
    if _LITERAL.fullmatch(source):
        return worth
    return f"{worth} ({name(source)})"


def _calendar(source: str, holds: bool) -> str:
    root, _, rest = source.partition(".")
    called, _, what = rest.partition(".")
    if root != "calendar" or what not in _CALENDAR:
        return ""
    return _CALENDAR[what][not holds].format(_plain(called))


def _turned(relation: str) -> str:
    turned: Mapping[str, str] = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
    return turned.get(relation, relation)


def _plain(text: str) -> str:
    return text.replace("_", " ")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
