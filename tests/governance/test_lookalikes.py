from __future__ import annotations

import pytest

from governance.lookalikes import is_confusable, strangers


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("p\u0430yp\u0430l", "\u0430\u0430"),
        ("see p\u0430ypal, Привет", "\u0430"),
        ("\u0430\u0440\u0440\u04cf\u0435 pie", "\u0430\u0440\u0440\u04cf\u0435"),
        ("\u13aa\u13bb", "\u13aa\u13bb"),
        ("p\u0251ypal", "\u0251"),
        ("\U0001d429aypal", "\U0001d429"),
        ("\uff17\uff15 USD", "\uff17\uff15"),
        ("A-\u09ea\u09e6", "\u09ea\u09e6"),
        ("\u2170nvoice", "\u2170"),
        ("re\ufb01ll", "\ufb01"),
    ],
)
def test_each_letter_that_poses_is_found(text: str, found: str) -> None:
    assert "".join(text[place] for place in strangers(text)) == found


@pytest.mark.parametrize(
    "text",
    [
        "x² + y², 1ª, 20 °C, 5 µm, ½, ™",
        "বাংলা ৪০ টাকা",  # noqa: RUF001
        "٧٥ ريال",  # noqa: RUF001
        "ＡＢＣ株式会社 １２３",  # noqa: RUF001
        "Yıldız, Łódź, Tiếng Việt",  # noqa: RUF001
    ],
)
def test_honest_texts_are_left_alone(text: str) -> None:
    assert not is_confusable(text)


def test_long_texts_take_no_time() -> None:
    assert len(strangers("p\u0430y " * 20_000)) == 20_000
