"""Does what approvers made a condition hold, for what is about to run, at this moment?

An approval carries sentences for the agent to keep to, and checks: CEL expressions over
the action and the time. They are compiled when they are given and asked when the
permission is spent. What cannot be evaluated then does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.dateformat import format as written

from approvals import remarks
from governance import canonical
from governance.errors import Invalid, Problem
from governance.models import Action
from governance.text_safety import excerpt, visible_line
from policies import lookbacks, store
from policies.cel import BadCondition, CannotEvaluate, Condition, compile_condition
from policies.engine import MISSING
from policies.situation import Situation, find, situation

MAX_CHECKS = 10
MAX_TEXT = 500
MOST_FACTS = 5
VARIABLES = "action, params, resource, agent, context, risk and now"

_UNKNOWN = re.compile(r"There is no ('[^']*'):")
_ALONE = re.compile(r"(?<![\w.])(?:action|risk|now)\b")
_TIME = re.compile(r"(?:([0-9]{4}-[0-9]{2}-[0-9]{2})[ T])?([0-9]{1,2}:[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Unmet:
    """A check that fails, and why. As a text it is a sentence."""

    text: str
    why: str

    def __str__(self) -> str:
        return f"“{visible_line(self.text)}” {self.why}."


# When it is given


def stated(check: Mapping[str, str]) -> dict[str, str]:
    """Return the check as it is kept. Without words of its own it speaks for itself."""
    expression = check["expression"].strip()
    text = check.get("text", "").strip()
    return {"text": text or expression, "expression": expression}


def problems(checks: Sequence[Mapping[str, str]]) -> list[Problem]:
    """Return what keeps these checks from being given, each with its place."""
    if len(checks) > MAX_CHECKS:
        words = f"Give at most {MAX_CHECKS} conditions to be checked."
        return [Problem("/checks", "too_many_conditions", words)]
    return [
        problem
        for position, check in enumerate(checks)
        for problem in _problems(f"/checks/{position}", check)
    ]


def _problems(path: str, check: Mapping[str, str]) -> Iterator[Problem]:
    if len(check.get("text", "")) > MAX_TEXT and check["text"] != check["expression"]:
        words = f"Keep the words of a condition under {MAX_TEXT} characters."
        yield Problem(path, "too_long", words)
    for text in (check.get("text", ""), check["expression"]):
        yield from remarks.unfit(path, text)
    try:
        compile_condition(check["expression"])
    except BadCondition as bad:
        yield Problem(path, "condition_invalid", _complaint(bad))


def _complaint(bad: BadCondition) -> str:
    """Say what is wrong and where. An approval looks at one action: it has no history."""
    words = bad.detail
    if unknown := _UNKNOWN.match(words):
        words = f"There is no {unknown[1]} here: a condition may use {VARIABLES}."
    line = f"line {bad.line}, " if bad.line > 1 else ""
    return f"{words} (At {line}column {bad.column}.)"


def reads_as_check(sentence: str) -> bool:
    """Whether a sentence is an expression, which nobody would check as a sentence."""
    source = sentence.strip().rstrip(".")
    try:
        return bool(_named(compile_condition(source)))
    except BadCondition:
        return False


def before(said: str, at: datetime) -> dict[str, str]:
    """Return the check that it runs before the next such time, or raise ``Invalid``.

    ``said`` is a time in the installation's time zone: ``18:00``, or with its day
    ``2026-11-25 18:00``. Of an hour that comes twice it is the first.
    """
    zone = ZoneInfo(settings.TIME_ZONE)
    found = _TIME.fullmatch(said.strip())
    try:
        if found is None:
            raise ValueError
        end = _next(found[1], found[2], at.astimezone(zone))
        moment = f"{end.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        words = "Write a time like 18:00, or with its day 2026-11-25 18:00."
        raise Invalid(words, code="time_invalid") from None
    if not _exists(end):
        words = f"There is no {end:%H:%M} on that day: the clocks go forward."
        raise Invalid(words, code="time_invalid")
    if end <= at:
        raise Invalid("That time is over already.", code="time_invalid")
    day = written(end, "j M Y")
    return {
        "text": f"Only before {end:%H:%M} ({settings.TIME_ZONE}) on {day}.",
        "expression": f'now < timestamp("{moment}")',
    }


def _next(day: str | None, clock: str, local: datetime) -> datetime:
    """Return that time on that day; without a day, the next one after now."""
    said = f"{day or local.date().isoformat()} {clock}"
    end = datetime.strptime(said, "%Y-%m-%d %H:%M").replace(tzinfo=local.tzinfo)
    return end if day or end > local else end + timedelta(days=1)


def _exists(local: datetime) -> bool:
    """Whether a clock on the wall ever shows this time."""
    real = local.astimezone(UTC).astimezone(local.tzinfo)
    return real.replace(tzinfo=None) == local.replace(tzinfo=None)


# When it runs


def unmet(
    action: Action, checks: Sequence[Mapping[str, str]], at: datetime
) -> list[Unmet]:
    """Return the checks that do not hold for this action at this moment."""
    if not checks:
        return []
    known = _known(action, at)
    asked = (_ask(check, known) for check in checks)
    return [found for found in asked if found]


def _known(action: Action, at: datetime) -> Situation | CannotEvaluate:
    facts = replace(lookbacks.facts_of(action), now=at)
    sensitivity = store.current().sensitivity(action.resource)
    try:
        return situation(facts, sensitivity, action.risk)
    except CannotEvaluate as problem:
        return problem


def _ask(check: Mapping[str, str], known: Situation | CannotEvaluate) -> Unmet | None:
    try:
        condition = compile_condition(check["expression"])
        if isinstance(known, CannotEvaluate):
            raise known
        if condition.holds(known):
            return None
    except (BadCondition, CannotEvaluate) as problem:
        why = str(problem).rstrip(".")
        return Unmet(check["text"], f"cannot be checked: {why}")
    facts = ", ".join(_facts(condition, known))
    return Unmet(check["text"], f"does not hold: {facts}" if facts else "does not hold")


def _facts(condition: Condition, known: Situation) -> list[str]:
    """Say what the condition looked at: ``params.amount is 75``."""
    found = {names: find(known.variables, names) for names in _named(condition)}
    told = [
        f"{visible_line('.'.join(names))} is {_told(value)}"
        for names, value in found.items()
        if value is not MISSING
    ]
    return told[:MOST_FACTS]


def _named(condition: Condition) -> list[tuple[str, ...]]:
    alone = dict.fromkeys(_ALONE.findall(condition.source))
    return [*condition.facts, *((name,) for name in alone)]


def _told(value: Any) -> str:
    match value:
        case str():
            return excerpt(value)
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        case Mapping():
            return f"an object of {len(value)}"
        case list():
            return f"a list of {len(value)}"
        case _:
            return canonical.canonical_bytes(value).decode()
