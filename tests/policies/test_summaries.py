"""Summaries: one line about an action, in the server's words."""

from __future__ import annotations

from typing import Any

import pytest

from policies.summaries import summary

REFUND = "Refund {params.amount} {params.currency} to {params.customer_id}"


def line(template: str, **params: Any) -> str:
    return summary(template, "refund.create", params, {"type": "order", "id": "A-1"})


def test_it_fills_in_the_parameters() -> None:
    filled = line(REFUND, amount=75.0, currency="USD", customer_id="C-7")

    assert filled == "Refund 75 USD to C-7"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (75, "75"),
        (75.5, "75.5"),
        (True, "true"),
        (None, "null"),
        ("", ""),
        (["a", 1], '["a", 1]'),
        ({"a": "é"}, '{"a": "é"}'),
        ("{params.secret}", "{params.secret}"),
        ("a\nb\u202ec", "a⟨U+000A⟩b⟨U+202E⟩c"),
    ],
)
def test_it_shows_values_as_they_are(value: Any, shown: str) -> None:
    assert line("<{params.x}>", x=value, secret="no") == f"<{shown}>"


@pytest.mark.parametrize(
    "place",
    ["params.nope", "params.x.y", "params.__class__", "agent.name", "params.x.real"],
)
def test_what_is_not_there_is_a_dash(place: str) -> None:
    assert line(f"<{{{place}}}>", x=5) == "<\N{EN DASH}>"


@pytest.mark.parametrize("odd", ["{", "}", "{}", "{params.x!r}", "{0}", "{params[x]}"])
def test_other_braces_are_just_braces(odd: str) -> None:
    assert line(odd, x=5) == odd


def test_action_and_resource_can_be_named() -> None:
    template = "{action} on {resource.type} {resource.id}"

    assert line(template) == "refund.create on order A-1"
    assert line("") == "refund.create order A-1"
    assert summary("", "refund.create", {}) == "refund.create"


def test_only_this_line_is_cut() -> None:
    filled = line("<{params.x}>", x="a" * 500)

    assert len(filled) == 200
    assert filled.endswith("…")
