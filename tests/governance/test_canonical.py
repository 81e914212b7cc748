from __future__ import annotations

import hashlib
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import (
    canonical_bytes,
    digest,
    fingerprint,
    is_digest,
    key_text,
)
from governance.strict_json import loads


# RFC 8785, appendix B
@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_the_rfc_says(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_bytes(number) == text.encode()


def test_the_example_of_the_rfc() -> None:
    # RFC 8785, sections 3.2.2 to 3.2.4
    value = json.loads(
        r"""{
          "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
          "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
          "literals": [null, true, false]
        }"""
    )
    assert canonical_bytes(value) == (
        rb'{"literals":[null,true,false],'
        rb'"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        rb'"string":"' + "\u20ac".encode() + rb"$\u000f\nA'B\"\\\\\"/" + rb'"}'
    )


def test_keys_are_sorted_by_utf_16_units() -> None:
    # RFC 8785, section 3.2.3: the emoji comes before U+FB33
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical_bytes(value)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def shuffled(value: Any, data: st.DataObject) -> Any:
    """The same JSON value as another program might hold it."""
    if isinstance(value, dict):
        keys = data.draw(st.permutations(list(value)))
        return {key: shuffled(value[key], data) for key in keys}
    if isinstance(value, list):
        return [shuffled(item, data) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return data.draw(st.sampled_from([value, float(value)]))
    return value


@given(VALUES, st.data())
def test_the_bytes_do_not_depend_on_how_it_was_held(
    value: Any, data: st.DataObject
) -> None:
    other = shuffled(value, data)
    assert canonical_bytes(other) == canonical_bytes(value)
    assert fingerprint(other) == fingerprint(value)


REFUND = {"order_id": "A-1001", "customer_id": "C-7", "amount": 75, "currency": "USD"}
ORDER = {"type": "order", "id": "A-1001"}


def test_the_digest_is_what_the_contract_says() -> None:
    covered = (
        b"countersign/action/v1\n"
        b'{"action":"refund.create",'
        b'"params":{"amount":75,"currency":"USD","customer_id":"C-7","order_id":"A-1001"},'
        b'"resource":{"id":"A-1001","type":"order"}}'
    )
    expected = "sha256:" + hashlib.sha256(covered).hexdigest()
    assert digest("refund.create", REFUND, ORDER) == expected


def test_the_digest_of_this_refund_never_changes() -> None:
    assert digest("refund.create", REFUND, None) == (
        "sha256:591d658f863648999d8de2af17361b77564ba800742cfbfca5a22fef1cb6984e"
    )


def test_an_absent_resource_counts_as_null() -> None:
    covered = b'countersign/action/v1\n{"action":"a","params":{},"resource":null}'
    assert digest("a", {}, None) == "sha256:" + hashlib.sha256(covered).hexdigest()


@pytest.mark.parametrize(
    ("action", "params", "resource"),
    [
        ("refund.creates", REFUND, ORDER),
        ("refund.create", REFUND | {"amount": 75.01}, ORDER),
        ("refund.create", REFUND | {"amount": "75"}, ORDER),
        ("refund.create", REFUND | {"note": None}, ORDER),
        ("refund.create", REFUND, ORDER | {"id": "A-1002"}),
        ("refund.create", REFUND, None),
    ],
)
def test_the_digest_covers_everything_that_would_run(
    action: str, params: dict[str, Any], resource: dict[str, Any] | None
) -> None:
    assert digest(action, params, resource) != digest("refund.create", REFUND, ORDER)


def test_the_digest_is_the_same_however_the_body_was_written() -> None:
    first = loads(b'{"a":1.0,"b":"\\u00e9","c":[1E2]}')
    second = loads('{"c":[100],"b":"é","a":1}'.encode())
    assert digest("x", first, None) == digest("x", second, None)


def test_it_knows_a_digest() -> None:
    assert is_digest(digest("a", {}, None))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "0" * 64,
        "sha256:" + "0" * 63,
        "sha256:" + "0" * 65,
        "sha256:" + "A" * 64,
        "sha256:" + "g" * 64,
        "sha256:" + "0" * 64 + "\n",
        "SHA256:" + "0" * 64,
        "sha256:" + "\u0660" * 64,
        None,
        7,
        ["sha256:" + "0" * 64],
    ],
)
def test_it_knows_what_is_not_a_digest(text: object) -> None:
    assert not is_digest(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        ("7", "7"),
        (-0.0, "0"),
        (7.5, "7.5"),
        (1e-7, "1e-7"),
        (True, "true"),
        (False, "false"),
        ("C-7", "C-7"),
        ("", ""),
        (None, None),
        ([7], None),
        ({"id": 7}, None),
        (float("nan"), None),
        (2**53, None),
    ],
)
def test_lookbacks_compare_keys_as_text(value: Any, text: str | None) -> None:
    assert key_text(value) == text


def test_a_fingerprint_tells_bodies_apart() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2.0, "a": 1.0})
    assert fingerprint({"a": 1}) != fingerprint({"a": "1"})
