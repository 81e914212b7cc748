"""Durations: they are read and written in one form."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import durations


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("4h", timedelta(hours=4)),
        ("30d", timedelta(days=30)),
    ],
)
def test_it_reads_and_writes_the_four_forms(text: str, duration: timedelta) -> None:
    assert durations.parse(text) == duration
    assert durations.text(duration) == text


@pytest.mark.parametrize(
    "text",
    ["", "30", "h", "1h30m", "1.5h", "-4h", " 4h", "4h\n", "4H", "4w", "٤h", "0s", 4],
)
def test_it_refuses_everything_else(text: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        durations.parse(text)


@pytest.mark.parametrize("text", ["3651d", "999999999d"])
def test_it_refuses_what_no_calendar_holds(text: str) -> None:
    with pytest.raises(ValueError, match="too long"):
        durations.parse(text)


@given(st.integers(1, 3650 * 86400))
def test_what_is_written_is_read_as_the_same(seconds: int) -> None:
    duration = timedelta(seconds=seconds)

    assert durations.parse(durations.text(duration)) == duration
