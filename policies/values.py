"""What does an expression come to? For explaining: conditions themselves are yes or no."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

from policies import dialect, expressions
from policies.cel import MAX_LOOPED_TEXT, MAX_LOOPED_VALUES
from policies.rules import Calendar, Lookback
from policies.situation import MISSING, CannotEvaluate, Situation, lookup

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


def value_of(
    source: str,
    situation: Situation,
    *,
    lookbacks: Collection[Lookback] = (),
    calendars: Collection[Calendar] = (),
    risk: bool = True,
) -> Any:
    """Return the value as JSON has it; a time as text. Raise CannotEvaluate."""
    if _PATH.fullmatch(source):
        found = lookup(situation.variables, source)
        if found is not MISSING:
            return _plain(found)
    rules: list[Lookback | Calendar] = [*lookbacks, *calendars]
    answers = frozenset(name for rule in rules for name in dialect.answers_of(rule))
    try:
        return _plain(_evaluated(source, situation, dialect.env(answers, risk)))
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise CannotEvaluate("it has no value") from error


def _evaluated(source: str, situation: Situation, env: Any) -> Any:
    read = expressions.read(env.compile(source).serialize())
    if read.loops and (
        situation.values > MAX_LOOPED_VALUES or situation.text > MAX_LOOPED_TEXT
    ):
        raise CannotEvaluate("too costly: there are too many values to loop over")
    dialect.start_counting()
    answer = env.deserialize(read.strict).eval(situation.activation)
    if answer.type() == dialect.ERROR:
        raise CannotEvaluate("it has no value")
    return answer.plain_value()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
