"""Does a condition hold? CEL expressions, checked when saved and bounded when run.

``compile_condition`` accepts nothing that cannot work: an unknown variable, lookback or
field, and anything that is not true or false. What it returns is safe to run:
``Condition.holds`` answers true or false, or raises ``CannotEvaluate`` with the reason
in words. A wrong type is never a silent answer; ``policies.dialect`` says how.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from policies import dialect, expressions
from policies.dialect import KINDS, RESOURCE_FIELDS, VARIABLES, kind_of
from policies.rules import Calendar, Lookback
from policies.situation import CannotEvaluate, Situation, find, short, situation

__all__ = [
    "BadCondition",
    "CannotEvaluate",
    "Condition",
    "Situation",
    "compile_condition",
    "is_lookback_name",
    "situation",
]

MAX_LENGTH = 2000
# The library stops a loop at 10,000 steps; these keep the cost of one step small.
MAX_LOOPED_VALUES = 2000
MAX_LOOPED_TEXT = 64 * 1024

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_RULE = re.compile(r"\b(?:history|calendar)\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)")
_DOUBLING = re.compile(r"\bopt(?:Flat)?Map\b")
_COMPLAINT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_NO_OVERLOAD = re.compile(r"No matching overloads? found : (\S+)\((.*)\)")
_NO_KEY = re.compile(r'Key not found in map : "(.*)"', re.DOTALL)
_NO_VALUE = re.compile(r'No value with name "(history|calendar)\.(\w+)\.')
_COMPARING = {"_<_", "_<=_", "_>_", "_>=_", "@eq_", "@ne_", "@is"}


class BadCondition(Exception):
    """A condition that may not be saved. Line and column count from 1."""

    def __init__(self, detail: str, line: int = 1, column: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.line = line
        self.column = column


def is_lookback_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and name not in dialect.RESERVED


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition. Safe to share between threads."""

    source: str
    facts: tuple[tuple[str, ...], ...]
    # The facts that have more than a root, by their dotted path.
    paths: Mapping[str, tuple[str, ...]]
    lookbacks: frozenset[str]
    calendars: frozenset[str]
    loops: bool
    program: Any

    def holds(self, situation: Situation) -> bool:
        """Answer, or raise CannotEvaluate."""
        if self.loops and (
            situation.values > MAX_LOOPED_VALUES or situation.text > MAX_LOOPED_TEXT
        ):
            raise CannotEvaluate("too costly: there are too many values to loop over")
        dialect.start_counting()
        try:
            answer = self.program.eval(situation.activation)
        except (ValueError, TypeError) as error:
            raise CannotEvaluate("a value cannot be read") from error
        except (RuntimeError, MemoryError) as error:
            raise CannotEvaluate(self._words(str(error), situation)) from error
        # An error is a value here, and a truthy one.
        if answer.type() == dialect.BOOL and isinstance(truth := answer.value(), bool):
            return truth
        if answer.type() == dialect.ERROR:
            raise CannotEvaluate(self._words(str(answer.plain_value()), situation))
        raise CannotEvaluate("the result is neither true nor false")

    def _words(self, error: str, situation: Situation) -> str:
        if "budget" in error:
            return "too costly"
        if "<jump_condition>" in error:
            return "what must be true or false is something else"
        if found := _NO_VALUE.search(error):
            rule = "lookback" if found[1] == "history" else "calendar"
            return f"the {rule} {found[2]} has no answer here"
        if found := _NO_KEY.search(error):
            return self._missing(found[1], situation)
        if found := _NO_OVERLOAD.search(error):
            return self._mismatch(found[1], found[2].split(", "), situation)
        error = error.partition(": ")[2] or error
        return short(error.partition(" [")[0])

    def _missing(self, key: str, situation: Situation) -> str:
        for names in self.facts:
            for depth, name in enumerate(names):
                parent = find(situation.variables, names[:depth])
                if name == key and isinstance(parent, Mapping) and key not in parent:
                    return short(f"{'.'.join(names[: depth + 1])} is missing")
        return short(f"{key} is missing")

    def _mismatch(self, function: str, kinds: list[str], situation: Situation) -> str:
        words = [KINDS.get(kind, kind) for kind in kinds]
        if function not in _COMPARING or len(words) != 2:
            function = function.replace("@", "_", 1)
            return short(f"{function} does not work with {' and '.join(words)}")
        relation = "looked up in" if function == "@is" else "compared with"
        values = {names: find(situation.variables, names) for names in self.facts}
        # A number is mostly what the policy asks for, and the other the surprise.
        for kind in sorted(words, key=lambda word: word == "a number"):
            found = [n for n, value in values.items() if kind_of(value) == kind]
            if len(found) == 1:
                other = words[words[0] == kind]
                name = ".".join(found[0])
                return short(f"{name} is {kind} and cannot be {relation} {other}")
        return f"{words[0]} cannot be {relation} {words[1]}"


def compile_condition(
    source: str,
    *,
    lookbacks: Collection[Lookback] = (),
    calendars: Collection[Calendar] = (),
    risk: bool = True,
) -> Condition:
    """Compile a condition, or raise BadCondition with the place and a sentence.

    Programs are kept by source and by what the lookbacks and calendars answer that the
    source names, so that an unrelated one that comes or goes does not compile ten
    thousand policies anew.
    """
    if len(source) > MAX_LENGTH:
        raise BadCondition(
            f"A condition has at most {MAX_LENGTH:,} characters, not {len(source):,}."
        )
    if doubling := _DOUBLING.search(source):
        detail = f"{doubling[0]}() is not supported: use hasValue() and orValue()."
        raise _at(doubling.start(), source, detail)
    named = set(_RULE.findall(source))
    rules: list[Lookback | Calendar] = [*lookbacks, *calendars] if named else []
    asked = [rule for rule in rules if rule.name in named]
    answers = frozenset(name for rule in asked for name in dialect.answers_of(rule))
    return _compile(source, answers, risk)


@lru_cache(maxsize=32_768)
def _compile(source: str, answers: frozenset[str], risk: bool) -> Condition:
    env = dialect.env(answers, risk)
    try:
        checked = env.compile(source)
    except TypeError as error:
        raise BadCondition("A character in the condition is not text.") from error
    except RuntimeError as error:
        raise _complaint(str(error), risk) from error
    reading = expressions.read(checked.serialize())
    _check(reading, source)
    # What a parameter holds is known when it is there: ``params.express`` may be true.
    if checked.return_type() not in (dialect.BOOL, dialect.DYN):
        raise BadCondition(
            "A condition must be true or false: compare it with something, "
            "as in params.express == true."
        )
    facts = tuple(names for names in reading.facts if names[0] in VARIABLES)
    return Condition(
        source=source,
        facts=facts,
        paths={".".join(names): names for names in facts if len(names) > 1},
        lookbacks=frozenset(n[1] for n in reading.facts if n[0] == "history"),
        calendars=frozenset(n[1] for n in reading.facts if n[0] == "calendar"),
        loops=reading.loops,
        program=env.deserialize(reading.strict),
    )


def _check(reading: expressions.Reading, source: str) -> None:
    """Refuse what the checker lets pass and the program could not live with."""
    for name, place in reading.named.items():
        if name in VARIABLES:
            raise _at(place, source, f"{name!r} is taken: choose another variable.")
    for names, place in reading.facts.items():
        if names[0] == "resource" and names[1:] not in [(f,) for f in RESOURCE_FIELDS]:
            wrong = ".".join(names[1:])
            fields = _listed(RESOURCE_FIELDS)
            raise _at(place, source, f"A resource has {fields}, not {wrong!r}.")
    if "resource" in reading.bare:
        fields = _listed([f"resource.{field}" for field in RESOURCE_FIELDS])
        raise _at(
            reading.bare["resource"],
            source,
            f"'resource' is no value by itself: use {fields}, "
            "and has(resource.type) to ask whether there is one.",
        )
    for place in reading.joins:
        raise _at(place, source, "Texts and lists cannot be joined inside a loop.")
    for place in reading.builds:
        raise _at(place, source, "Lists cannot be built from what the loop runs over.")


def _complaint(error: str, risk: bool) -> BadCondition:
    found = _COMPLAINT.search(error)
    if found is None and "recursion limit" in error:
        return BadCondition("The condition is nested too deeply.")
    if found is None:
        return BadCondition(short(f"The condition does not compile: {error}"))
    line, column, detail = int(found[1]), int(found[2]), found[3]
    if unknown := _UNDECLARED.match(detail):
        detail = _unknown(unknown[1], risk)
    else:
        detail = detail.partition(" expecting {")[0].rstrip(".")
        detail = f"The condition does not compile: {detail}."
    return BadCondition(short(detail), line, column)


def _unknown(name: str, risk: bool) -> str:
    if name.startswith("history."):
        does = "has distinct" if name.endswith(".distinct") else "sums"
        return (
            f"There is no {name!r}: check the lookback's name, and whether it {does}."
        )
    if name.startswith("calendar."):
        words = "check the calendar's name; it has open and workday"
        return f"There is no {name!r}: {words}."
    if name.startswith("agent."):
        return f"An agent has name, environment and tags: there is no {name!r}."
    if name == "risk" and not risk:
        return "A risk factor may not use 'risk': it is part of the answer."
    return f"There is no {name!r}: a condition may use {_listed(VARIABLES)}."


def _at(place: int, source: str, detail: str) -> BadCondition:
    before = source[:place]
    line, column = before.count("\n") + 1, place - before.rfind("\n")
    return BadCondition(short(detail), line, column)


def _listed(names: Collection[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}"
