from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from governance.canonical import canonical_bytes
from governance.errors import Malformed, Refused
from governance.strict_json import MAX_BODY_BYTES, check_size, loads


def refusal(raw: bytes | str) -> Malformed:
    with pytest.raises(Malformed) as caught:
        loads(raw if isinstance(raw, bytes) else raw.encode())
    return caught.value


def places(refused: Refused) -> list[tuple[str, str]]:
    return [(problem.path, problem.code) for problem in refused.errors]


def nested(depth: int) -> str:
    """A document this deep: the outer object is the first level."""
    return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


@pytest.mark.parametrize(
    ("raw", "code", "path"),
    [
        pytest.param(b"", "empty_body", "", id="C01-nothing"),
        pytest.param(b" \r\n\t", "empty_body", "", id="C01-blank"),
        pytest.param(b"{", "invalid_json", "", id="C02-unfinished"),
        pytest.param(b"{}{}", "invalid_json", "", id="C02-trailing"),
        pytest.param(b'{"a":1,}', "invalid_json", "", id="C02-comma"),
        pytest.param(b"{'a':1}", "invalid_json", "", id="C02-quotes"),
        pytest.param(b'{"a":01}', "invalid_json", "", id="C02-leading-zero"),
        pytest.param(b'{"a":+1}', "invalid_json", "", id="C02-plus"),
        pytest.param(b'{"a":.5}', "invalid_json", "", id="C02-no-integer-part"),
        pytest.param(b'{"a":1_000}', "invalid_json", "", id="C02-underscore"),
        pytest.param(b'{"a":0x10}', "invalid_json", "", id="C02-hexadecimal"),
        pytest.param(
            '{"a":\u0665\u0660}', "invalid_json", "", id="C02-arabic-indic-digits"
        ),
        pytest.param(b'{"a":"\\x"}', "invalid_json", "", id="C02-escape"),
        pytest.param(b'{"a":"\\u12"}', "invalid_json", "", id="C02-short-escape"),
        pytest.param(b'{"a":1}\x00', "invalid_json", "", id="C02-nul-after"),
        pytest.param(b"{} // hello", "invalid_json", "", id="C02-comment"),
        pytest.param(b'{"a":"x\ty"}', "invalid_json", "", id="C02-raw-tab"),
        pytest.param(b'{"a":"x\ny"}', "invalid_json", "", id="C02-raw-line-feed"),
        pytest.param(b"[]", "object_expected", "", id="C03-array"),
        pytest.param(b'"a"', "object_expected", "", id="C03-string"),
        pytest.param(b"null", "object_expected", "", id="C03-null"),
        pytest.param(b"1", "object_expected", "", id="C03-number"),
        pytest.param(b"true", "object_expected", "", id="C03-boolean"),
        pytest.param(b"NaN", "object_expected", "", id="C03-nan"),
        pytest.param(
            b'{"action":"a","action":"DROP"}', "duplicate_key", "/action", id="C04"
        ),
        pytest.param(
            b'{"a":[{"b":{"c":1,"d":2,"c":1}}]}',
            "duplicate_key",
            "/a/0/b/c",
            id="C04-deep",
        ),
        pytest.param(
            b'{"a":1,"\\u0061":2}', "duplicate_key", "/a", id="C04-written-as-escape"
        ),
        pytest.param(
            '{"\u00e9":1,"e\u0301":2}',
            "duplicate_key_normalized",
            "/e\u0301",
            id="C05",
        ),
        pytest.param(
            '{"p":{"e\u0301":1,"\u00e9":2}}',
            "duplicate_key_normalized",
            "/p/\u00e9",
            id="C05-deep",
        ),
        pytest.param(b'{"a":NaN}', "number_not_finite", "/a", id="C06-nan"),
        pytest.param(b'{"a":Infinity}', "number_not_finite", "/a", id="C06-inf"),
        pytest.param(b'{"a":[-Infinity]}', "number_not_finite", "/a/0", id="C06-minus"),
        pytest.param(b'{"a":1e400}', "number_out_of_range", "/a", id="C07"),
        pytest.param(b'{"a":-1e400}', "number_out_of_range", "/a", id="C07-minus"),
        pytest.param(b'{"a":1e-400}', "number_out_of_range", "/a", id="C07-underflow"),
        pytest.param(
            b'{"a":1e' + b"9" * 5000 + b"}",
            "number_out_of_range",
            "/a",
            id="C07-exponent-of-5000-digits",
        ),
        pytest.param(b'{"a":9007199254740993}', "integer_out_of_range", "/a", id="C08"),
        pytest.param(
            b'{"a":9007199254740992}', "integer_out_of_range", "/a", id="C08-first"
        ),
        pytest.param(
            b'{"a":-9007199254740992}', "integer_out_of_range", "/a", id="C08-minus"
        ),
        pytest.param(b'{"a":1e16}', "integer_out_of_range", "/a", id="C08-exponent"),
        pytest.param(
            b'{"a":90071992547409930e-1}', "integer_out_of_range", "/a", id="C08-mixed"
        ),
        pytest.param(
            b'{"a":9007199254740992.0}', "integer_out_of_range", "/a", id="C08-point"
        ),
        pytest.param(
            b'{"a":9007199254740992.5}', "integer_out_of_range", "/a", id="C08-half"
        ),
        pytest.param(
            b'{"a":9007199254740991.00000000000000000000000000000000001}',
            "integer_out_of_range",
            "/a",
            id="C08-by-a-hair",
        ),
        pytest.param(
            b'{"a":' + b"9" * 4299 + b"}", "integer_out_of_range", "/a", id="C09"
        ),
        pytest.param(
            b'{"a":-' + b"9" * 4301 + b"}", "integer_out_of_range", "/a", id="C10"
        ),
        pytest.param(
            b'{"a":' + b"9" * 250_000 + b"}",
            "integer_out_of_range",
            "/a",
            id="C10-the-whole-body",
        ),
        pytest.param(
            b'{"a":50.000000000000000001}', "number_precision", "/a", id="C11"
        ),
        pytest.param(
            b'{"a":49.9999999999999999}', "number_precision", "/a", id="C11-below"
        ),
        pytest.param(
            b'{"a":1.234567890123456}', "number_precision", "/a", id="C11-16-digits"
        ),
        pytest.param(
            b'{"a":9007199254740990.000000000000000000000000000000001}',
            "number_precision",
            "/a",
            id="C11-nearly-an-integer",
        ),
        pytest.param(
            b'{"a":1.23456789e-318}', "number_precision", "/a", id="C11-subnormal"
        ),
        pytest.param(
            b'{"a":0.' + b"3" * 250_000 + b"}",
            "number_precision",
            "/a",
            id="C11-the-whole-body",
        ),
        pytest.param(nested(33), "too_deep", "", id="C20"),
        pytest.param('{"a":' * 33 + "1" + "}" * 33, "too_deep", "", id="C20-objects"),
        pytest.param(nested(2_000), "too_deep", "", id="C21-2000"),
        pytest.param(nested(100_000), "too_deep", "", id="C21-100000"),
        pytest.param('{"a":' + "[" * 250_000, "too_deep", "", id="C21-never-closed"),
        pytest.param('{"a":' * 50_000, "too_deep", "", id="C21-objects-never-closed"),
        pytest.param(
            json.dumps({f"k{i}": i for i in range(10_001)}),
            "too_many_members",
            "",
            id="C22-keys",
        ),
        pytest.param(
            json.dumps({"a": {"b": [0] * 10_001}}),
            "too_many_members",
            "/a/b",
            id="C22-items",
        ),
        pytest.param(json.dumps({"p": {"k" * 129: 1}}), "key_too_long", "/p", id="C23"),
        pytest.param(
            json.dumps({"p": ["x" * 16_385]}), "string_too_long", "/p/0", id="C24"
        ),
        pytest.param(
            json.dumps({"p": "\u20ac" * 5_462}), "string_too_long", "/p", id="C24-bytes"
        ),
        pytest.param(b'{"a":"\\u0000"}', "control_character", "/a", id="C27"),
        pytest.param(b'{"a":"\x00"}', "control_character", "/a", id="C27-raw"),
        pytest.param(
            b'{"p":{"k\\u0000":1}}',
            "control_character",
            "/p/k\u27e8U+0000\u27e9",
            id="C28",
        ),
        pytest.param(b'{"a":"\\ud800"}', "invalid_unicode", "/a", id="C29"),
        pytest.param(b'{"a":"\\udc00\\ud800"}', "invalid_unicode", "/a", id="C29-swap"),
        pytest.param(
            b'{"\\udfff":1}', "invalid_unicode", "/\u27e8U+DFFF\u27e9", id="C29-key"
        ),
        pytest.param(b'{"a":"\\u001b[2J"}', "control_character", "/a", id="C30-esc"),
        pytest.param(b'{"a":"\x1b[2J"}', "control_character", "/a", id="C30-esc-raw"),
        pytest.param(b'{"a":"\\u0007"}', "control_character", "/a", id="C30-bell"),
        pytest.param(b'{"a":"\x7f"}', "control_character", "/a", id="C30-del"),
        pytest.param('{"a":"\u0085"}', "control_character", "/a", id="C30-next-line"),
        pytest.param('{"a":"\u009f"}', "control_character", "/a", id="C30-last-c1"),
        pytest.param(b'{"a":"\\ufffe"}', "invalid_unicode", "/a", id="C31-fffe"),
        pytest.param('{"a":"\uffff"}', "invalid_unicode", "/a", id="C31-ffff"),
        pytest.param('{"a":"\ufdd0"}', "invalid_unicode", "/a", id="C31-fdd0"),
        pytest.param(
            '{"a":"\U0001fffe"}', "invalid_unicode", "/a", id="C31-plane-1-fffe"
        ),
        pytest.param(
            b'{"a":"\\udbff\\udfff"}', "invalid_unicode", "/a", id="C31-10ffff"
        ),
        pytest.param(b'{"a":"\xff"}', "invalid_utf8", "", id="C32-byte"),
        pytest.param(b'{"a":"\xc0\xaf"}', "invalid_utf8", "", id="C32-overlong"),
        pytest.param(
            b'{"a":"\xed\xa0\xbd\xed\xb8\x82"}', "invalid_utf8", "", id="C32-cesu"
        ),
        pytest.param(b'{"a":"\xe9"}', "invalid_utf8", "", id="C32-latin-1"),
        pytest.param(b"\xef\xbb\xbf{}", "charset", "", id="C33-bom"),
        pytest.param('{"a":1}'.encode("utf-16"), "charset", "", id="C33-utf-16"),
        pytest.param('{"a":1}'.encode("utf-16-le"), "charset", "", id="C33-no-bom-le"),
        pytest.param('{"a":1}'.encode("utf-16-be"), "charset", "", id="C33-no-bom-be"),
        pytest.param('{"a":1}'.encode("utf-32"), "charset", "", id="C33-utf-32"),
    ],
)
def test_it_refuses(raw: bytes | str, code: str, path: str) -> None:
    refused = refusal(raw)

    assert (refused.status, refused.code) == (400, code)
    assert places(refused) == [(path, code)]
    assert str(refused).endswith(".")
    assert len(str(refused)) < 200


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        pytest.param(b'{"a":-0.0}', "0", id="C12-minus-zero"),
        pytest.param(b'{"a":-0}', "0", id="C12-minus-zero-integer"),
        pytest.param(b'{"a":0e999999999999999999999}', "0", id="C12-zero-exponent"),
        pytest.param(b'{"a":1E2}', "100", id="C12-exponent"),
        pytest.param(b'{"a":1.0}', "1", id="C12-point"),
        pytest.param(b'{"a":1}', "1", id="C12-integer"),
        pytest.param(b'{"a":9007199254740991}', "9007199254740991", id="C08-last"),
        pytest.param(b'{"a":-9007199254740991.0}', "-9007199254740991", id="C08-neg"),
        pytest.param(b'{"a":12300e-2}', "123", id="C12-negative-exponent"),
        pytest.param(
            b'{"a":1' + b"0" * 9000 + b"e-9000}", "1", id="C12-long-way-round"
        ),
        pytest.param(
            b'{"a":0.' + b"0" * 9000 + b"1e9001}", "1", id="C12-the-other-way-round"
        ),
        pytest.param(b'{"a":1.' + b"0" * 250_000 + b"}", "1", id="C12-zeros"),
        pytest.param(b'{"a":49.9900000000000000000000}', "49.99", id="C11-trailing"),
        pytest.param(
            b'{"a":0.0000000000000000000012345}', "1.2345e-21", id="C11-leading"
        ),
        pytest.param(b'{"a":0.123456789012345}', "0.123456789012345", id="C11-15"),
        pytest.param(b'{"a":5e-324}', "5e-324", id="C11-smallest"),
    ],
)
def test_it_returns_numbers_in_their_canonical_form(raw: bytes, value: str) -> None:
    number = loads(raw)["a"]

    assert repr(number) == value
    assert isinstance(number, int) == value.lstrip("-").isdigit()


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        pytest.param(b' {"a": [true, false, null, {}]}\n', [True, False, None, {}]),
        pytest.param(nested(32), json.loads(nested(32))["a"], id="C20-depth-32"),
        pytest.param(
            json.dumps({"a": [[], {}] * 5_000}), [[], {}] * 5_000, id="C22-10000"
        ),
        pytest.param(json.dumps({"a": {"k" * 128: 1}}), {"k" * 128: 1}, id="C23-128"),
        pytest.param(json.dumps({"a": "x" * 16_384}), "x" * 16_384, id="C24-16-KiB"),
        pytest.param(b'{"a":"\\t\\n\\r"}', "\t\n\r", id="C30-tab-lf-cr"),
        pytest.param(b'{"a":"\\ud83d\\ude02"}', "\U0001f602", id="C29-a-pair"),
        pytest.param(b'{"a":"[[\\"{{\\\\"}', '[["{{\\', id="brackets-in-strings"),
        pytest.param(b'{"a":"NaN"}', "NaN", id="C06-as-a-string"),
        pytest.param(b'{"a":"75"}', "75", id="C13-a-string-stays-one"),
        pytest.param('{"a":"\u202e\u200b<b>"}', "\u202e\u200b<b>", id="C39-text"),
        pytest.param('{"a":"\ufffd"}', "\ufffd", id="C31-replacement-character"),
    ],
)
def test_it_accepts(raw: bytes | str, value: Any) -> None:
    assert loads(raw if isinstance(raw, bytes) else raw.encode()) == {"a": value}


def test_it_accepts_ten_thousand_keys() -> None:
    members = {f"k{i}": i for i in range(10_000)}
    assert loads(json.dumps(members).encode()) == members


def test_it_names_line_and_column() -> None:
    refused = refusal(b'{"a": 1,\n  "b" 2}')
    assert "line 2, column 7" in str(refused)


def test_it_names_the_place_of_a_raw_line_break() -> None:
    refused = refusal(b'{"a":\n "b\nc"}')
    assert "line 2, column 4" in str(refused)


def test_it_names_the_offset_of_a_bad_byte() -> None:
    refused = refusal('{"é":"'.encode() + b'\xff"}')
    assert "byte offset 7" in str(refused)


def test_it_names_the_character() -> None:
    refused = refusal(b'{"a":"\\ufdd0"}')
    assert "U+FDD0" in str(refused)


def test_pointers_escape_what_rfc_6901_wants_escaped() -> None:
    refused = refusal(b'{"a/b":{"m~n":[{"":NaN}]}}')
    assert places(refused) == [("/a~1b/m~0n/0/", "number_not_finite")]


def test_pointers_forget_the_places_left_behind() -> None:
    refused = refusal(b'{"a":[1,[2]],"b":{"c":{"d":3}},"e":[4,{"f":5},NaN]}')
    assert places(refused) == [("/e/2", "number_not_finite")]


def test_pointers_stay_on_one_line() -> None:
    refused = refusal(b'{"a\\nb\\tc\\r":NaN}')
    [(path, _)] = places(refused)
    assert path == "/a\u27e8U+000A\u27e9b\u27e8U+0009\u27e9c\u27e8U+000D\u27e9"


def test_a_long_number_is_not_echoed() -> None:
    assert "9" * 41 not in str(refusal(b'{"a":' + b"9" * 4301 + b"}"))


def test_a_long_key_is_not_echoed() -> None:
    refused = refusal(json.dumps({"k" * 5000: 1}))
    assert "k" * 41 not in str(refused)
    assert places(refused) == [("", "key_too_long")]


@pytest.mark.parametrize("raw", [b"{}" + b" " * MAX_BODY_BYTES, b"x" * 3_000_000])
def test_it_refuses_a_large_body_before_parsing_it(raw: bytes) -> None:
    refused = refusal(raw)
    assert (refused.status, refused.code) == (413, "body_too_large")


def test_it_reads_the_largest_body() -> None:
    check_size(MAX_BODY_BYTES)
    assert loads(b"{}".ljust(MAX_BODY_BYTES)) == {}


def test_messages_call_the_body_by_its_name() -> None:
    with pytest.raises(Malformed, match=r"^The result is empty"):
        loads(b"", what="result")


def portable_float(number: float) -> float:
    return float(f"{number:.15g}")


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=20)
INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
FLOATS = st.floats(-9e15, 9e15, allow_subnormal=False).map(portable_float)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


def has_keys_that_normalize_alike(value: Any) -> bool:
    try:
        loads(json.dumps(value).encode())
    except Refused as refused:
        return refused.code == "duplicate_key_normalized"
    return False


@given(st.dictionaries(TEXTS, VALUES), st.booleans())
def test_what_json_writes_is_read_back(value: dict[str, Any], ascii_only: bool) -> None:
    if has_keys_that_normalize_alike(value):
        return
    read = loads(json.dumps(value, ensure_ascii=ascii_only).encode())

    assert read == value
    assert loads(canonical_bytes(read)) == read
    assert canonical_bytes(read) == canonical_bytes(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(5e-324)
@example(0.1 + 0.2)
@example(2.0**53 - 1)
@example(2.0**53)
def test_a_number_is_kept_exactly_or_refused(number: float) -> None:
    try:
        read = loads(json.dumps({"a": number}).encode())["a"]
    except Malformed:
        assert abs(number) > 2**53 - 1 or len(repr(number).strip("-0.")) > 15
    else:
        assert math.isclose(read, number, rel_tol=0, abs_tol=0)
        assert canonical_bytes(read) == canonical_bytes(number)


SEEDS = [
    b'{"action":"refund.create","params":{"amount":75.5,"note":"\\u00e9\\ud83d\\ude02"}}',
    '{"p":[[{"\u00e9":1e2,"x":"\u4e2d\u202e"}],-0.0,null,true,""]}'.encode(),
]


@given(st.sampled_from(SEEDS), st.data())
def test_mutated_bodies_are_read_or_refused(seed: bytes, data: st.DataObject) -> None:
    raw = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(raw)))
        length = data.draw(st.integers(0, 4))
        raw[start : start + length] = data.draw(st.binary(max_size=4))

    try:
        value = loads(bytes(raw))
    except Refused as refused:
        # The refusal itself must be fit to be sent
        for problem in refused.errors:
            assert f"{problem.path}{problem.detail}".encode().decode().isprintable()
    else:
        assert loads(canonical_bytes(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(Refused):
        loads(raw)
