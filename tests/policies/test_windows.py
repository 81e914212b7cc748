"""Sliding windows: at every moment what a count of everything before would find."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from policies import tallies, windows
from policies.rules import Facts, History, Lookback, Period
from policies.windows import Window
from tests.policies.facts import NOW, make_facts

LOOKBACKS = [
    Lookback("plain", ("*",), "params.who", timedelta(hours=5)),
    Lookback("sums", ("*",), "", timedelta(hours=9), sum="params.amount"),
    Lookback("daily", ("*",), "params.who", Period.DAY, distinct="params.card"),
]
Earlier = tuple[Facts, datetime | None]
EVENT = st.fixed_dictionaries(
    {},
    optional={
        "who": st.sampled_from("ab"),
        "amount": st.sampled_from([0.1, 0.2, 19.99, "much"]),
        "card": st.sampled_from("12"),
    },
)
HISTORY = st.lists(
    st.tuples(EVENT, st.integers(0, 4), st.none() | st.integers(0, 12)), max_size=25
)


@given(st.sampled_from(LOOKBACKS), HISTORY)
def test_it_finds_what_counting_everything_finds(
    lookback: Lookback, history: list[tuple[dict[str, object], int, int | None]]
) -> None:
    window, at = Window(lookback), NOW
    before: list[Earlier] = []
    with patch.object(windows, "_SWEEP_AFTER", 3):
        for params, pause, counted in history:
            at += timedelta(hours=pause)
            facts = replace(make_facts(params=params), now=at)
            assert window.history(facts) == _brute_force(lookback, before, facts)
            until = None if counted is None else at + timedelta(hours=counted)
            window.add(facts, until)
            before.append((facts, until))


def _brute_force(
    lookback: Lookback, before: list[Earlier], facts: Facts
) -> History | None:
    key = tallies.key_of(lookback, facts)
    if key is None:
        return None
    entries = [
        entry
        for earlier, until in before
        if earlier.now >= tallies.begins(lookback, facts.now)
        if until is None or until > facts.now
        if (entry := tallies.entry_of(lookback, earlier)) and entry.key == key
    ]
    return tallies.history_of(lookback, entries)
