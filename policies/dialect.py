"""Which CEL do conditions speak? Its variables, extensions and stricter operators.

It is the language of the CEL specification with the extensions for optional values
(``params.?vip.orValue(false)``) and mathematics, and three deliberate differences:

* Comparing values of different types cannot be evaluated. In plain CEL ``"75" != 75``
  is true, and an agent could walk past ``params.amount != 75`` by quoting the number.
  The same goes for ``==`` and ``in``. ``== null`` may be asked of everything.
* Inside ``all``, ``exists``, ``map`` and ``filter`` texts and lists cannot be joined,
  nor lists be built from what the loop runs over: both could grow without a limit. For
  the same reason the extension for texts (``replace``, ``join``, ``format``) is off,
  and ``optMap``, whose every use doubles the expression before it is even checked.
* A condition that loops cannot be evaluated over very many values, nor one that
  compares long lists again and again.

``agent``, ``history`` and ``calendar`` are declared field by field, so that the checker
knows their types. ``resource`` is a map, because an action may come without one and ``has()`` must
be able to tell; ``policies.cel`` checks its fields.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_math, ext_optional

from policies.rules import Calendar, Lookback

VARIABLES = (
    "action", "params", "resource", "agent", "context", "risk", "history", "calendar",
    "now",
)  # fmt: skip
RESOURCE_FIELDS = ("type", "id", "sensitivity")
RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
        "while",
    ]
)

MAX_COMPARED = 100_000
_budget = threading.local()

_T = cel.Type
BOOL, DYN, ERROR, STRING = _T.BOOL, _T.DYN, _T.ERROR, _T.STRING

_JSON = _T.Map(_T.STRING, _T.DYN)
_DECLARED = {
    "action": _T.STRING,
    "params": _JSON,
    "context": _JSON,
    "resource": _JSON,
    "agent.name": _T.STRING,
    "agent.environment": _T.STRING,
    "agent.tags": _T.List(_T.STRING),
    "now": _T.TIMESTAMP,
}
# What lookbacks and calendars answer.
_ANSWERS = {
    "count": _T.INT,
    "sum": _T.DOUBLE,
    "distinct": _T.INT,
    "open": _T.BOOL,
    "workday": _T.BOOL,
}


def answers_of(rule: Lookback | Calendar) -> Iterator[str]:
    """Yield the variables that a lookback or a calendar gives to conditions."""
    if isinstance(rule, Calendar):
        yield f"calendar.{rule.name}.open"
        yield f"calendar.{rule.name}.workday"
        return
    yield f"history.{rule.name}.count"
    if rule.sum:
        yield f"history.{rule.name}.sum"
    if rule.distinct:
        yield f"history.{rule.name}.distinct"


@lru_cache(maxsize=1024)
def env(answers: frozenset[str], risk: bool) -> Any:
    """The environment for conditions that may name these answers.

    One per set of answers; an activation made by any of them serves all.
    """
    declared = dict(_DECLARED)
    if risk:
        declared["risk"] = _T.INT
    for name in answers:
        declared[name] = _ANSWERS[name.rpartition(".")[2]]
    return environment(declared, strict_functions())


def environment(variables: Mapping[str, Any], functions: Collection[Any] = ()) -> Any:
    """CEL with those extensions whose cost has a limit."""
    extensions = [ext_optional.ExtOptional(), ext_math.ExtMath()]
    return cel.NewEnv(
        variables=variables, extensions=extensions, functions=list(functions)
    )


def activation(variables: Mapping[str, Any]) -> Any:
    return _plain_env().Activation(variables)


@cache
def _plain_env() -> Any:
    """The environment that activations are made by.

    The library learns what a time is only when something is compiled: until then
    ``now`` is no value to it.
    """
    plain = env(frozenset(), True)
    plain.compile("true")
    return plain


@cache
def strict_functions() -> tuple[Any, ...]:
    """What ``==``, ``!=``, ``in``, ``/`` and, in loops, ``+`` become in the strict program.

    Only these combinations exist: for all others the library finds no overload, and
    that is an error.
    """
    numbers = [_T.DOUBLE, _T.INT, _T.UINT]
    scalars = [*numbers, _T.BOOL, _T.STRING, _T.BYTES, _T.TIMESTAMP, _T.DURATION]
    alike = [(_T.BOOL, a, b) for a in numbers for b in numbers]
    alike += [(_T.BOOL, a, a) for a in (*scalars[3:], _T.NULL, _T.LIST, _T.MAP)]
    within = [(_T.BOOL, a, b) for a in scalars for b in (_T.LIST, _T.MAP)]
    sums = [(a, a, a) for a in (*numbers, _T.DURATION)]
    sums += [(_T.TIMESTAMP, _T.TIMESTAMP, _T.DURATION)]
    sums += [(_T.TIMESTAMP, _T.DURATION, _T.TIMESTAMP)]
    return (
        _function("@eq_", alike, _equal),
        _function("@ne_", alike, lambda one, other: not _equal(one, other)),
        _function("@is", within, _contains),
        _function("@+_", sums, operator.add),
        _function("@/_", [(a, a, a) for a in numbers], _divide),
    )


def _function(name: str, overloads: list[Any], run: Callable[[Any, Any], Any]) -> Any:
    return cel.FunctionDecl(
        name,
        [
            cel.Overload(f"strict{name}{i}", answer, [left, right], impl=run)
            for i, (answer, left, right) in enumerate(overloads)
        ],
    )


def _divide(one: Any, other: Any) -> Any:
    """Divide, and refuse what is no number any more.

    By itself CEL makes 0.0 / 0.0 a value that every comparison calls false, so that
    ``!(params.spent / params.limit > 0.9)`` would hold.
    """
    if other == 0:
        raise ValueError("divide by zero")
    if isinstance(one, float):
        return one / other
    quotient = abs(one) // abs(other)
    return quotient if (one < 0) == (other < 0) else -quotient


def _equal(one: Any, other: Any) -> bool:
    _spend(one)
    _spend(other)
    return _same(one, other)


def _contains(value: Any, values: Any) -> bool:
    """Whether the value is among these, all of which it must be comparable with."""
    _spend(values)
    if isinstance(values, dict):
        return any(kind_of(key) == kind_of(value) and key == value for key in values)
    present = [each for each in values if each is not None]
    strange = [each for each in present if kind_of(each) != kind_of(value)]
    if any(value == each for each in present if kind_of(each) == kind_of(value)):
        return True
    return bool(strange) and _same(value, strange[0])


def _same(one: Any, other: Any) -> bool:
    """Compare values of one kind. For Python alone true would equal 1."""
    if kind_of(one) != kind_of(other):
        raise ValueError(f"{kind_of(one)} cannot be compared with {kind_of(other)}")
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            _same(value, other[key]) for key, value in one.items()
        )
    return bool(one == other)


def start_counting() -> None:
    """Begin an evaluation in this thread: its operators may look at so many values."""
    _budget.left = MAX_COMPARED


def _spend(value: Any) -> None:
    """Count what was copied out of the library to be compared here."""
    if isinstance(value, list | dict):
        _budget.left = getattr(_budget, "left", MAX_COMPARED) - len(value)
        if _budget.left < 0:
            raise ValueError("budget exceeded")
        for each in value.values() if isinstance(value, dict) else value:
            _spend(each)


def kind_of(value: Any) -> str:
    """Return what people call this kind of value."""
    return next(word for kind, word in _PYTHON if isinstance(value, kind))


_PYTHON: tuple[tuple[Any, str], ...] = (
    (str, "a text"),
    (bool, "true or false"),
    (int | float, "a number"),
    (type(None), "null"),
    (list, "a list"),
    (Mapping, "an object"),
    (datetime, "a time"),
    (timedelta, "a duration"),
    (bytes, "bytes"),
    (object, "something else"),
)
KINDS = {
    "bool": "true or false",
    "double": "a number",
    "int64": "a number",
    "uint64": "a number",
    "string": "a text",
    "null_type": "null",
    "list": "a list",
    "map": "an object",
    "timestamp": "a time",
    "*opaque*": "an optional value",
    "duration": "a duration",
}
