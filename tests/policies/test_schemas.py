"""Schemas: they are safe to validate with, and say what is wrong and where."""

from __future__ import annotations

import time
from typing import Any

import pytest

from policies.rules import ActionType
from policies.schemas import BadSchema, check_schema, schema_errors

REFUND = {
    "type": "object",
    "required": ["amount", "customer_id"],
    "additionalProperties": False,
    "properties": {
        "amount": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
        "customer_id": {"type": "string", "pattern": "^C-[0-9]+$"},
        "items": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/x"}},
    },
    "$defs": {"x": {"type": ["integer", "object"]}},
}


def places(params: Any, schema: Any = REFUND) -> list[str]:
    check_schema(schema)
    kind = ActionType("refund.create", params_schema=schema)
    problems = schema_errors(kind, params)
    assert all(problem.code == "schema" for problem in problems)
    return sorted(problem.path for problem in problems)


def doubling(levels: int) -> dict[str, Any]:
    parts: dict[str, Any] = {
        f"x{n}": {"allOf": [{"$ref": f"#/$defs/x{n + 1}"}] * 2} for n in range(levels)
    }
    return {"$ref": "#/$defs/x0", "$defs": parts | {f"x{levels}": True}}


@pytest.mark.parametrize("amount", [75, 75.0, 19.99, 0.01, 1e15])
def test_it_accepts_what_fits(amount: float) -> None:
    assert places({"amount": amount, "customer_id": "C-7", "items": [1, 2]}) == []


@pytest.mark.parametrize(
    "amount", [True, "75", "5E+1", " 50 ", None, [75], -1, 0, 0.001]
)
def test_it_says_where_the_amount_is_wrong(amount: Any) -> None:
    found = places({"amount": amount, "customer_id": "C-7"})

    assert set(found) == {"/params/amount"}


def test_it_reports_every_place_as_a_pointer() -> None:
    params = {"customer_id": "X", "a/b": 1, "items": [1, 1.0, "x"]}

    assert places(params) == [
        "/params",
        "/params",
        "/params/customer_id",
        "/params/items",
        "/params/items/2",
    ]


def test_it_reports_at_most_twenty() -> None:
    schema = {"additionalProperties": {"type": "string"}}

    assert len(places({str(n): n for n in range(500)}, schema)) == 20


def test_without_a_schema_everything_fits() -> None:
    assert schema_errors(ActionType("x"), {"anything": object()}) == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (True, "object"),
        ({"type": "nonsense"}, "not a schema"),
        ({"$ref": "https://example.com/schema"}, "$defs"),
        ({"$ref": "file:///etc/passwd"}, "$defs"),
        ({"$ref": "#/$defs/nope"}, "$defs"),
        ({"$ref": "#"}, "leads back"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"not": {"$ref": "#/$defs/x"}}}}, "back"),
        ({"properties": {"a": {"$id": "https://example.com/"}}}, "$id"),
        ({"patternProperties": {"(a+)+$": {}}}, "patternProperties"),
        ({"unevaluatedProperties": False}, "unevaluatedProperties"),
        ({"pattern": "(?=lookahead)"}, "regular expression"),
        ({"items": {"anyOf": [{"pattern": "["}]}}, "not a"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "2020-12"),
        ({"description": "x" * 70_000}, "characters"),
        ({"enum": [object()]}, "JSON"),
        (doubling(11), "parts"),
    ],
)
def test_it_refuses_schemas_that_could_run_wild(schema: Any, words: str) -> None:
    with pytest.raises(BadSchema, match=words.replace("$", r"\$")):
        check_schema(schema)


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = {"properties": {"patternProperties": {"type": "string"}, "$id": True}}

    assert places({"patternProperties": 5}, schema) == ["/params/patternProperties"]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 16_000 + "!"),
        ({"uniqueItems": True}, [{"n": n, "x": [n]} for n in range(9_999)]),
        ({"items": {"pattern": "^(a|aa)+$"}}, ["a" * 200 + "!"] * 1_000),
    ],
)
def test_hostile_values_are_answered_quickly(schema: Any, value: Any) -> None:
    started = time.perf_counter()

    places({"a": value}, {"properties": {"a": schema}})

    assert time.perf_counter() - started < 2
