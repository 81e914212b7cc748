"""How people read values: as money, as times, as addresses."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import override_settings

from approvals.console import facts, links
from approvals.console.facts import flatten
from approvals.console.revealing import reveal

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


def reading(value: Any, name: str) -> str:
    found = {"/".join(map(str, f.path)): f.reading for f in flatten(value, at=NOW)}
    return found[name]


@pytest.mark.parametrize(
    ("value", "name", "words"),
    [
        ({"amount": 75, "currency": "USD"}, "amount", "75.00 USD"),
        ({"amount": 1250000.5, "currency": "usd"}, "amount", "1,250,000.50 USD"),
        ({"amount": "75", "currency": "EUR"}, "amount", "75.00 EUR"),
        ({"amount": -3, "currency": "EUR"}, "amount", "-3.00 EUR"),
        ({"amount": 75.005, "currency": "USD"}, "amount", "75.005 USD"),
        ({"amount": 7500, "currency": "JPY"}, "amount", "7,500 JPY"),
        ({"amount": 7.5, "currency": "KWD"}, "amount", "7.500 KWD"),
        ({"amount_cents": 7500, "currency": "USD"}, "amount_cents", "75.00 USD"),
        ({"amountMinor": 7500, "currency": "JPY"}, "amountMinor", "7,500 JPY"),
        ({"fee": 1, "fee_currency": "CHF", "currency": "USD"}, "fee", "1.00 CHF"),
        ({"lines": [{"price": 2, "currency": "USD"}]}, "lines/1/price", "2.00 USD"),
        ({"price": {"value": 9, "currency": "USD"}}, "price/value", "9.00 USD"),
        (
            {"amount": 1e20, "currency": "USD"},
            "amount",
            "100,000,000,000,000,000,000.00 USD",
        ),
        # No money, or nothing that says which
        ({"amount": 75}, "amount", ""),
        ({"count": 2, "currency": "USD"}, "count", ""),
        ({"amount": True, "currency": "USD"}, "amount", ""),
        ({"amount": "75 or so", "currency": "USD"}, "amount", ""),
        ({"amount": "\u0667\u0665", "currency": "USD"}, "amount", ""),
        ({"amount": 75, "currency": "dollars"}, "amount", ""),
        ({"amount": 75, "currency": ["USD"]}, "amount", ""),
        ({"amount_cents": 7.5, "currency": "USD"}, "amount_cents", ""),
    ],
)
def test_money(value: Any, name: str, words: str) -> None:
    assert reading(value, name) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-26T13:20:00Z", "Thu, Nov 26, 2026, 13:20 UTC, in 3 h 20 min"),
        ("2026-11-26T11:00:00+02:00", "Thu, Nov 26, 2026, 09:00 UTC, 1 h ago"),
        ("2026-11-26T10:00:30Z", "Thu, Nov 26, 2026, 10:00 UTC, now"),
        ("2026-11-26 13:20", "Thu, Nov 26, 2026, 13:20, of no time zone"),
        ("2026-11-26", "Thu, Nov 26, 2026, today"),
        ("2026-11-27", "Fri, Nov 27, 2026, tomorrow"),
        ("2026-11-20", "Fri, Nov 20, 2026, 6 d ago"),
        ("2027-01-05", "Tue, Jan 5, 2027, in 40 d"),
        ("2026-13-45", ""),
        ("2026-02-30T10:00:00Z", ""),
        ("0001-01-01T00:00:00+23:59", ""),
        ("9999-12-31T23:59:59-23:59", ""),
        ("20261126", ""),
        ("on 2026-11-26", ""),
    ],
)
def test_times(text: str, words: str) -> None:
    assert reading({"when": text}, "when") == words


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("expires_at", 1795687200, "Thu, Nov 26, 2026, 10:00 UTC, now"),
        ("createdAt", 1795683600000, "Thu, Nov 26, 2026, 09:00 UTC, 1 h ago"),
        ("count", 1795687200, ""),
        ("expires_at", 5, ""),
        ("expires_at", -1795687200, ""),
    ],
)
def test_seconds_since_1970(name: str, value: int, words: str) -> None:
    assert reading({name: value}, name) == words


@override_settings(TIME_ZONE="Europe/Berlin")
def test_times_are_read_where_people_are() -> None:
    said = reading({"when": "2026-11-26T13:20:00Z"}, "when")

    assert said == "Thu, Nov 26, 2026, 14:20 Europe/Berlin, in 3 h 20 min"


def test_the_exact_value_stays_beside_it() -> None:
    [amount, _] = flatten({"amount": 75.0, "currency": "USD"})

    assert (amount.text, amount.reading) == ("75", "75.00 USD")


# Addresses


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://shop.example/orders/1", "shop.example"),
        ("see http://shop.example:8080?x=1 please", "shop.example:8080"),
        ("https://bank.example@evil.example/pay", "evil.example"),
        ("https://bank.example:443@evil.example@worse.example/", "worse.example"),
        (r"https://evil.example\@bank.example/", "evil.example"),
        (r"https:\\evil.example", "evil.example"),
        ("https:evil.example", "evil.example"),
        ("https:///evil.example", "evil.example"),
        ("HTTPS://EVIL.example#@bank.example", "EVIL.example"),
        ("ssh://git@host.example/x", "host.example"),
        ("http://[::1]:80/x", "[::1]:80"),
    ],
)
def test_where_an_address_leads_stands_out(text: str, host: str) -> None:
    [(start, end)] = links.hosts(text)

    assert text[start:end] == host
    assert f'<b class="cs-host">{host}</b>' in reveal(text)
    assert "<a" not in reveal(text)


@pytest.mark.parametrize(
    "text", ["plain", "a: b", "C:/x", "note:// ", "https://", "::"]
)
def test_other_texts_lead_nowhere(text: str) -> None:
    assert links.hosts(text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://a.example@evil.example/", "leads to evil.example, not to what"),
        ("https://xn--pypal-4ve.com/", "xn--pypal-4ve.com is written p\u0430ypal.com"),
        (
            "https://p\u0430ypal.com/",
            "p\u0430ypal.com is xn--pypal-4ve.com to a computer",
        ),
        ("http://3232235777/", "to a machine by its number: 3232235777"),
        ("http://192.168.1.1:8080/", "to a machine by its number: 192.168.1.1"),
        ("javascript:alert(1)", "This is a javascript: address"),
        (" data:text/html,x", "This is a data: address"),
    ],
)
def test_what_is_odd_about_an_address_is_said(text: str, words: str) -> None:
    [fact] = flatten({"link": text})

    assert any(words in note for note in fact.notes)


def test_an_honest_address_needs_no_note() -> None:
    [fact] = flatten({"link": "https://shop.example/orders/A-1001?x=1#top"})

    assert fact.notes == ()


def test_hostile_addresses_take_no_time() -> None:
    text = "http://a@" * 5000 + "https:" * 5000 + "\u202e" * 5000

    assert len(list(links.notes(text))) >= 1
    assert reveal(text)


# Large parameters


def test_large_parts_get_a_heading_and_nothing_is_left_out() -> None:
    value = {
        "a": 1,
        "lines": [{"sku": f"S-{n}", "count": n} for n in range(500)],
        "z": {"x": 1, "y": 2},
    }
    found = list(flatten(value))
    parts = facts.parts(found)

    assert [part.title for part in parts] == ["", "lines", ""]
    assert [fact for part in parts for fact in part.facts] == found
    assert parts[1].facts[0].further_steps() == [("1", True), ("count", False)]


def test_what_is_one_part_needs_no_heading() -> None:
    [part] = facts.parts(list(flatten({"lines": list(range(50))})))

    assert part.title == ""


@pytest.mark.parametrize(
    "text",
    [
        "a." * 100_000 + " :",
        "http:" * 50_000,
        "http:@ " * 40_000,
        f"http://xn--{'a' * 200_000}",
        f"http://{'é' * 100_000}",
    ],
    ids=["words", "schemes", "people", "punycode", "letters"],
)
def test_a_text_that_is_made_to_take_long_does_not(text: str) -> None:
    started = time.perf_counter()

    links.hosts(text)
    list(links.notes(text))

    assert time.perf_counter() - started < 5
