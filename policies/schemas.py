"""Do the parameters fit the action type's JSON Schema, within bounded time?

The schemas are JSON Schema 2020-12, validated by jsonschema, with what could run wild
taken out: regular expressions go to RE2, which is linear, instead of Python's; a
``$ref`` stays within the schema and never leads back to itself; and the few keywords
that bring their own regular expressions along are refused when the schema is saved.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Context, Decimal, InvalidOperation
from functools import cache, lru_cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, SchemaError, ValidationError, validators
from referencing import Registry

from governance.errors import Problem
from governance.text_safety import pointer
from policies import dialect
from policies.rules import ActionType
from policies.situation import short

MAX_ERRORS = 20
MAX_LENGTH = 64 * 1024
MAX_SIZE = 2000
MAX_DEPTH = 32

_SCHEMA_URI = Draft202012Validator.META_SCHEMA["$id"]
_ONE = (
    "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames",
    "then",
)  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "definitions", "dependentSchemas", "properties")
_REFUSED = {
    "patternProperties": "use propertyNames with a pattern",
    "unevaluatedProperties": "use additionalProperties",
    "unevaluatedItems": "use items",
    "dependencies": "use dependentRequired",
    "$dynamicRef": "use $ref",
    "$id": "name parts with $defs",
    "$anchor": "name parts with $defs",
}


class BadSchema(Exception):
    """A schema that may not be saved. The message says what to change."""


def check_schema(schema: Any) -> None:
    """Raise BadSchema unless this is a schema that is safe to validate with."""
    if not isinstance(schema, Mapping):
        raise BadSchema("A schema is an object.")
    try:
        length = len(json.dumps(schema))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadSchema("A schema holds nothing but JSON.") from error
    if length > MAX_LENGTH:
        raise BadSchema(f"A schema has at most {MAX_LENGTH:,} characters.")
    if schema.get("$schema", _SCHEMA_URI).rstrip("#") != _SCHEMA_URI:
        raise BadSchema(f"Schemas are written in {_SCHEMA_URI}.")
    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError) as error:
        detail = getattr(error, "message", "It is nested too deeply.")
        raise BadSchema(short(f"This is not a schema: {detail}")) from error
    if _Survey(schema).size(schema, ()) > MAX_SIZE:
        raise BadSchema(f"A schema has at most {MAX_SIZE:,} parts, counting each $ref.")


def schema_errors(action_type: ActionType, params: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the parameters, at most twenty places."""
    if action_type.params_schema is None:
        return []
    validator = _validator(json.dumps(action_type.params_schema))
    errors = islice(validator.iter_errors(params), MAX_ERRORS)
    return [
        Problem(
            pointer(["params", *error.absolute_path]), "schema", short(error.message)
        )
        for error in errors
    ]


def problems(schema: Any) -> list[Problem]:
    """Return what ``check_schema`` has to say, as problems of a form or a file."""
    try:
        check_schema(schema)
    except BadSchema as bad:
        return [Problem("", "bad_schema", str(bad))]
    return []


class _Survey:
    """Counts the parts of a schema as often as validating could come by."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self.sizes: dict[str, int] = {}

    def size(self, part: Any, trail: tuple[str, ...], depth: int = 0) -> int:
        if depth > MAX_DEPTH:
            raise BadSchema(f"A schema is nested at most {MAX_DEPTH} deep.")
        if not isinstance(part, Mapping):
            return 1
        for keyword, instead in _REFUSED.items():
            if keyword in part:
                raise BadSchema(f"{keyword!r} is not supported: {instead}.")
        if "pattern" in part and not is_regex(part["pattern"]):
            raise BadSchema(
                short(f"{part['pattern']!r} is not a regular expression of RE2.")
            )
        below = [self.size(each, trail, depth + 1) for each in _parts(part)]
        return 1 + sum(below) + self._referred(part.get("$ref"), trail, depth)

    def _referred(self, ref: str | None, trail: tuple[str, ...], depth: int) -> int:
        if ref is None:
            return 0
        if ref in trail or ref == "#":
            raise BadSchema(f"$ref {ref!r} leads back to itself.")
        if ref not in self.sizes:
            self.sizes[ref] = self.size(self._target(ref), (*trail, ref), depth + 1)
        return self.sizes[ref]

    def _target(self, ref: str) -> Any:
        target: Any = self.schema
        names = ref.split("/")
        for name in names[1:]:
            name = name.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, Mapping) else None
        if len(names) != 3 or names[0] != "#" or names[1] != "$defs" or target is None:
            raise BadSchema(short(f"$ref {ref!r} must name a part of $defs here."))
        return target


def _parts(schema: Mapping[str, Any]) -> Iterator[Any]:
    for keyword, value in schema.items():
        if keyword in _ONE:
            yield value
        elif keyword in _LISTS:
            yield from value
        elif keyword in _NAMED:
            yield from value.values()


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Any:
    # An empty registry: nothing is ever fetched.
    return _bounded()(json.loads(schema), registry=Registry())


@cache
def _bounded() -> Any:
    return validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {"pattern": _pattern, "uniqueItems": _unique_items, "multipleOf": _multiple_of},
    )


def _pattern(
    validator: Any, pattern: str, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _unique_items(
    validator: Any, unique: bool, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    """The library compares every item with every other: that is quadratic."""
    if unique and isinstance(instance, list):
        texts = {json.dumps(_canonical(item), sort_keys=True) for item in instance}
        if len(texts) < len(instance):
            yield ValidationError("the items are not unique")


def _canonical(value: Any) -> Any:
    """Make equal numbers look equal: 1 and 1.0 are the same item."""
    if isinstance(value, list):
        return [_canonical(each) for each in value]
    if isinstance(value, dict):
        return {key: _canonical(each) for key, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _multiple_of(
    validator: Any, step: float, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    """Exact, as money needs it: for binary fractions 19.99 is no multiple of 0.01."""
    if isinstance(instance, bool) or not isinstance(instance, int | float):
        return
    context = Context(prec=100)
    try:
        rest = context.remainder(Decimal(str(instance)), Decimal(str(step)))
    except InvalidOperation:
        rest = Decimal(1)
    if rest:
        yield ValidationError(f"{instance!r} is not a multiple of {step!r}")


def is_regex(pattern: str) -> bool:
    return bool(_search(pattern, "").type() == dialect.BOOL)


def _matches(pattern: str, text: str) -> bool:
    found = _search(pattern, text)
    return bool(found.type() == dialect.BOOL and found.value())


def _search(pattern: str, text: str) -> Any:
    program, env = _re2()
    return program.eval(env.Activation({"text": text, "pattern": pattern}))


@cache
def _re2() -> tuple[Any, Any]:
    """RE2 as CEL offers it: the only regular expressions with a bounded cost here."""
    env = dialect.environment({"text": dialect.STRING, "pattern": dialect.STRING})
    return env.compile("text.matches(pattern)"), env
