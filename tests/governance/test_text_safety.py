from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.lookalikes import is_confusable
from governance.text_safety import (
    check_identifier,
    check_text,
    check_texts,
    excerpt,
    pointer,
    visible,
    visible_line,
)


@pytest.mark.parametrize(
    ("text", "code", "name"),
    [
        pytest.param("a\u202eb", "unsafe_text", "U+202E", id="C34-rlo"),
        pytest.param("\u2066order\u2069", "unsafe_text", "U+2066", id="C34-isolate"),
        pytest.param("order\u200f", "unsafe_text", "U+200F", id="C34-rlm"),
        pytest.param("order\u061c", "unsafe_text", "U+061C", id="C34-arabic-mark"),
        pytest.param("\u200b\u200b", "unsafe_text", "U+200B", id="C35-zero-width"),
        pytest.param("or\u200dder", "unsafe_text", "U+200D", id="C35-joiner"),
        pytest.param("or\u00adder", "unsafe_text", "U+00AD", id="C35-soft-hyphen"),
        pytest.param("order\ufeff", "unsafe_text", "U+FEFF", id="C35-bom"),
        pytest.param("order\u3164", "unsafe_text", "U+3164", id="C35-hangul-filler"),
        pytest.param("order\u2800", "unsafe_text", "U+2800", id="C35-braille-blank"),
        pytest.param("order\ufe0f", "unsafe_text", "U+FE0F", id="C35-variation"),
        pytest.param("order\u2028", "unsafe_text", "U+2028", id="C35-line-separator"),
        pytest.param("order\ue000", "unsafe_text", "U+E000", id="C35-private-use"),
        pytest.param("a\U000e0041", "unsafe_text", "U+E0041", id="C36-tag"),
        pytest.param("a\U000e0101", "unsafe_text", "U+E0101", id="C36-variation"),
        pytest.param("a" + "\u0301" * 5000, "unsafe_text", "U+0301", id="C38"),
        pytest.param("order\t1", "control_character", "U+0009", id="C40-tab"),
        pytest.param("order\r1", "control_character", "U+000D", id="C40-cr"),
        pytest.param("order\n", "control_character", "U+000A", id="C40-lf"),
        pytest.param("order\x00", "control_character", "U+0000", id="C27-nul"),
        pytest.param("order\u0085", "control_character", "U+0085", id="C30-nel"),
    ],
)
def test_identifiers_hide_nothing(text: str, code: str, name: str) -> None:
    problem = check_identifier(text, "/resource/id")

    assert problem
    assert (problem.path, problem.code) == ("/resource/id", code)
    assert name in problem.detail
    assert problem.detail.isprintable()


@pytest.mark.parametrize(
    "text",
    ["refund.create", "A-1001", "Größe 5", "注文-7", "заказ", "=cmd|..", "<b>", "a b"],
)
def test_identifiers_may_be_in_any_language(text: str) -> None:
    assert check_identifier(text, "/resource/id") is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" + "\u0301" * 9, id="one-too-many"),
        pytest.param("a" + "\u0301" * 5000, id="C38"),
        pytest.param("\u0489" * 9, id="enclosing-marks"),
        pytest.param("a" + ("\u0301" * 8 + "\u200d") * 600, id="joined-piles"),
        pytest.param(
            "fine a" + "\u0301" * 8 + "\u034f" + " text", id="grapheme-joiner"
        ),
    ],
)
def test_piles_of_combining_marks_are_refused(text: str) -> None:
    problem = check_text(text, "/reason")
    assert problem
    assert (problem.path, problem.code) == ("/reason", "unsafe_text")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<script>alert(1)</script>", id="C39-html"),
        pytest.param("[x](javascript:alert(1)) <!channel>", id="C39-markdown"),
        pytest.param("=cmd|' /C calc'!A0\r\nBcc: a@b", id="C39-formula-crlf"),
        pytest.param("abc\u202edef \u200b \U000e0041", id="C36-hidden-in-text"),
        pytest.param("a" + "\u0301" * 8, id="eight-marks"),
        pytest.param("a\u0301" * 5000, id="one-mark-each"),
        pytest.param("Tiếng Việt, עִבְרִית, ไทย, हिन्दी, 한국어, 👩‍👩‍👧", id="languages"),
    ],
)
def test_other_text_is_accepted(text: str) -> None:
    assert check_text(text, "/reason") is None


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("x" + "\u0301" * 9, "/params"),
        ({"a": [1, None, {"b/c": "x" + "\u0301" * 9}]}, "/params/a/2/b~1c"),
        ({"x" + "\u0301" * 9: 1}, "/params/x" + "\u0301" * 9),
    ],
)
def test_every_text_of_a_value_is_checked(value: Any, path: str) -> None:
    problem = check_texts(value, ("params",))
    assert problem
    assert problem.path == path


def test_a_value_without_such_text_has_no_problem() -> None:
    assert check_texts({"a": [1, 2.5, None, True, "é\u202e"]}) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pay \u202eevil", "pay ⟨U+202E⟩evil"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("hi\U000e0068\U000e0069", "hi⟨U+E0068⟩⟨U+E0069⟩"),
        ("\x1b[2J\x00\u0085", "⟨U+001B⟩[2J⟨U+0000⟩⟨U+0085⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("a\rb", "a⟨U+000D⟩b"),
        ("a\r\n\tb", "a\r\n\tb"),
        ("I \u2764\ufe0f it", "I \u2764\ufe0f it"),
        ("x\ufe0fy\ufe0f\ufe0f", "x⟨U+FE0F⟩y⟨U+FE0F⟩⟨U+FE0F⟩"),
        ("\ufe0f", "⟨U+FE0F⟩"),
        ("Größe 5 €, 注文, 👍", "Größe 5 €, 注文, 👍"),
    ],
)
def test_what_hides_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_line_stays_one_line() -> None:
    shown = visible_line("To: a\r\nBcc: b\tc\u2028d")
    assert shown == "To: a⟨U+000D⟩⟨U+000A⟩Bcc: b⟨U+0009⟩c⟨U+2028⟩d"


def test_nothing_invisible_that_unicode_knows_slips_through() -> None:
    hidden = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if unicodedata.category(char) in hidden:
            assert visible_line(char) == f"⟨U+{code:04X}⟩"
            assert check_identifier(char, ""), f"U+{code:04X}"


@given(st.text())
def test_text_made_visible_stays_as_it_is(text: str) -> None:
    assert visible(visible(text)) == visible(text)
    assert not set(visible_line(text)) & set("\r\n\t")


def test_excerpts_are_short_and_quoted() -> None:
    assert excerpt("amount") == '"amount"'
    assert excerpt("k" * 40) == f'"{"k" * 40}"'
    assert excerpt("k" * 41) == f'"{"k" * 39}…"'
    assert len(excerpt("\u200b" * 5000)) == 42


@pytest.mark.parametrize(
    ("path", "text"),
    [((), ""), (("",), "/"), (("a/b", "m~n", 0), "/a~1b/m~0n/0"), (("~1",), "/~01")],
)
def test_pointers_follow_rfc_6901(path: tuple[str | int, ...], text: str) -> None:
    assert pointer(path) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("p\u0430ypal", id="C37-cyrillic-a"),
        pytest.param("pay to p\u0430ypal.com today", id="C37-in-a-sentence"),
        pytest.param("\u0391laska", id="greek-alpha"),
        pytest.param("\U0001d429aypal", id="mathematical-p"),
        pytest.param("\uff50aypal", id="fullwidth-p"),
        pytest.param("\u212aelvin", id="kelvin-sign"),
        pytest.param("\u0430\u0440\u0440\u04cf\u0435", id="apple-in-cyrillic"),
        pytest.param("see \u0430\u0440\u0440\u04cf\u0435.com", id="among-latin-words"),
        pytest.param("p\u03bfst", id="greek-omicron"),
    ],
)
def test_look_alikes_are_noticed(text: str) -> None:
    assert is_confusable(text)


@pytest.mark.parametrize(
    "text",
    [
        "paypal",
        "Crème brûlée à la carte",
        "Привет, мир",
        "Привет from Berlin",
        "ОАО «Ромашка»",  # noqa: RUF001
        "Ελληνικά",
        "東京タワーのチケット",
        "Tシャツ",
        "ＡＢＣ株式会社",
        "K-pop 노래방",
        "5 µm, 20 °C, 1ª",
        "e\u0301te\u0301",
        "עברית and English",
        "👍🏽 42 €",
        "",
    ],
)
def test_honest_words_are_not(text: str) -> None:
    assert not is_confusable(text)
