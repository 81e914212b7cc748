from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import tallies
from policies.rules import AgentFacts, Decision, Facts, History, Lookback, Period
from policies.tallies import Entry, Tally


def lookback(**values: Any) -> Lookback:
    values = {"key": "params.customer_id", "window": timedelta(days=30), **values}
    return Lookback("refunds", ("refund.create",), **values)


def facts(**params: Any) -> Facts:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    agent = AgentFacts("refund-bot", "staging")
    return Facts("refund.create", params, agent, now, {"type": "order", "id": "A-1"})


@pytest.mark.parametrize(
    ("window", "zone", "at", "begins"),
    [
        (timedelta(hours=24), "UTC", "2026-11-25T12:00Z", "2026-11-24T12:00Z"),
        (Period.DAY, "UTC", "2026-11-25T12:00Z", "2026-11-25T00:00Z"),
        (Period.DAY, "UTC", "2026-11-25T00:00Z", "2026-11-25T00:00Z"),
        (Period.DAY, "Europe/Berlin", "2026-11-25T22:59Z", "2026-11-24T23:00Z"),
        (Period.DAY, "Europe/Berlin", "2026-11-25T23:00Z", "2026-11-25T23:00Z"),
        (Period.DAY, "America/New_York", "2026-11-25T04:59Z", "2026-11-24T05:00Z"),
        # Wednesday, Monday, Sunday.
        (Period.WEEK, "UTC", "2026-11-25T12:00Z", "2026-11-23T00:00Z"),
        (Period.WEEK, "UTC", "2026-11-23T00:00Z", "2026-11-23T00:00Z"),
        (Period.WEEK, "UTC", "2026-11-29T23:59Z", "2026-11-23T00:00Z"),
        (Period.WEEK, "UTC", "2027-01-01T12:00Z", "2026-12-28T00:00Z"),
        (Period.MONTH, "UTC", "2026-11-25T12:00Z", "2026-11-01T00:00Z"),
        (Period.MONTH, "Asia/Tokyo", "2026-11-30T15:00Z", "2026-11-30T15:00Z"),
        (Period.YEAR, "UTC", "2026-11-25T12:00Z", "2026-01-01T00:00Z"),
        (Period.YEAR, "Europe/Berlin", "2026-06-01T12:00Z", "2025-12-31T23:00Z"),
        # Days of 23 and of 25 hours.
        (Period.DAY, "Europe/Berlin", "2026-03-29T21:59Z", "2026-03-28T23:00Z"),
        (Period.DAY, "Europe/Berlin", "2026-03-29T22:00Z", "2026-03-29T22:00Z"),
        (Period.DAY, "Europe/Berlin", "2026-10-25T22:59Z", "2026-10-24T22:00Z"),
        # A midnight that does not exist, and one that comes twice.
        (Period.DAY, "Africa/Cairo", "2026-04-24T12:00Z", "2026-04-23T22:00Z"),
        (Period.DAY, "America/Havana", "2026-11-01T05:30Z", "2026-11-01T04:00Z"),
    ],
)
def test_a_window_begins(window: Any, zone: str, at: str, begins: str) -> None:
    found = tallies.begins(
        lookback(window=window, time_zone=zone), datetime.fromisoformat(at)
    )

    assert found == datetime.fromisoformat(begins)


@given(
    st.integers(0, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    st.sampled_from(list(Period)),
    st.sampled_from(["Europe/London", "America/St_Johns", "Pacific/Apia", "UTC"]),
)
def test_a_period_never_begins_later_than_now(
    at: datetime, period: Period, zone: str
) -> None:
    begins = tallies.begins(lookback(window=period, time_zone=zone), at)

    assert timedelta(0) <= at - begins < timedelta(days=367)


@pytest.mark.parametrize(
    ("key", "params", "found"),
    [
        ("", {}, ""),
        ("agent.name", {}, "refund-bot"),
        ("params.customer_id", {"customer_id": 7}, "7"),
        ("params.customer_id", {"customer_id": ""}, ""),
        ("params.customer_id", {"customer_id": "a\0b"}, None),
        ("params.customer_id", {}, None),
        ("params.a, params.b", {"a": "x", "b": 7.0}, '["x", "7"]'),
        ("params.a, params.b", {"a": 'x", "y', "b": "z"}, '["x\\", \\"y", "z"]'),
        ("params.a, params.b", {"a": "x", "b": None}, None),
        ("resource.id, agent.environment", {}, '["A-1", "staging"]'),
    ],
)
def test_a_key_is_the_text_of_its_values(
    key: str, params: dict[str, Any], found: str | None
) -> None:
    assert tallies.key_of(lookback(key=key), facts(**params)) == found


def test_two_values_never_pretend_to_be_others() -> None:
    both = lookback(key="params.a, params.b")

    keys = {
        tallies.key_of(both, facts(a=a, b=b))
        for a in ("x", 'x", "', ", ", "x" * 99)
        for b in ("x", '", "x', ", ", "x" * 99)
    }

    assert len(keys) == 16
    assert all(key and len(key) <= 64 for key in keys)


def test_an_action_adds_a_key_an_amount_and_a_value() -> None:
    asked = lookback(sum="params.amount", distinct="params.iban")

    found = tallies.entry_of(asked, facts(customer_id="C-7", amount=5, iban="DE1"))

    assert found == Entry("C-7", 5.0, "DE1")
    assert tallies.entry_of(asked, facts(amount=5)) is None
    assert tallies.entry_of(asked, facts(customer_id="C-7", amount="5", iban=[])) == (
        Entry("C-7")
    )


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([], History(0, 0.0, 0)),
        ([Entry("k", 1.1, "a")] * 3, History(3, 3.3, 1)),
        ([Entry("k", 1, "a"), Entry("k", 2, "b")], History(2, 3.0, 2)),
        ([Entry("k", 1, "a"), Entry("k", None, "b")], History(2, None, 2)),
        ([Entry("k", 1, "a"), Entry("k", 2, None)], History(2, 3.0, None)),
    ],
)
def test_entries_come_to(entries: list[Entry], found: History) -> None:
    asked = lookback(sum="params.amount", distinct="params.iban")

    assert tallies.history_of(asked, entries) == found


def test_what_is_not_asked_for_is_not_told() -> None:
    assert tallies.history_of(lookback(), [Entry("k", 1, "a")]) == History(1)


def test_an_entry_may_leave_a_tally_again() -> None:
    asked = lookback(sum="params.amount", distinct="params.iban")
    tally = Tally()
    for entry in (Entry("k", 0.1, "a"), Entry("k", 0.2, "b"), Entry("k")):
        tally.add(entry.amount, entry.value)

    tally.add(0.1, "a", times=-1)
    tally.add(None, None, times=-1)

    assert tally.history(asked) == History(1, 0.2, 1)


@pytest.mark.parametrize("decision", Decision)
def test_a_lookback_may_look_at_one_decision_only(decision: Decision) -> None:
    assert tallies.concerns(lookback(), decision)
    only = lookback(decision=Decision.ALLOW)
    assert tallies.concerns(only, decision) == (decision == Decision.ALLOW)
