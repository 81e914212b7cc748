"""What a proposal changes, as the page shows it."""

from __future__ import annotations

from typing import Any

import pytest

from approvals import services
from approvals.console import changes
from approvals.models import ApprovalRequest, Vote
from governance.models import User
from tests.approvals.factories import browser, page_of

OLD = {"amount": 75, "to": {"name": "Ann", "tags": ["a", "b"]}, "note": "x"}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (OLD, []),
        ({**OLD, "amount": 75.0}, []),
        ({**OLD, "amount": 60}, [(("amount",), "75", "60")]),
        ({**OLD, "amount": "75"}, [(("amount",), "75", "75")]),
        ({**OLD, "to": {"name": "Ann", "tags": ["a"]}}, [(("to", "tags", 2), "b", None)]),
        ({**OLD, "to": "Ann"}, [
            (("to",), None, "Ann"),
            (("to", "name"), "Ann", None),
            (("to", "tags", 1), "a", None),
            (("to", "tags", 2), "b", None),
        ]),
        ({**OLD, "to": [1], "vip": None}, [
            (("to", 1), None, "1"),
            (("to", "name"), "Ann", None),
            (("to", "tags", 1), "a", None),
            (("to", "tags", 2), "b", None),
            (("vip",), None, "null"),
        ]),
    ],
)  # fmt: skip
def test_every_value_that_differs_is_named(
    after: dict[str, Any], expected: list[Any]
) -> None:
    found = changes.between(OLD, after)

    assert expected == [
        (
            each.place.path,
            each.before.text if each.before else None,
            each.after.text if each.after else None,
        )
        for each in found
    ]


def test_nothing_may_become_something() -> None:
    (change,) = changes.between({}, {"amount": 1})

    assert (change.before, change.notes) == (None, ())


def test_the_page_shows_what_was_proposed(refund: ApprovalRequest, alice: User) -> None:
    params = {**refund.params, "amount": 60, "note": "<b>\u202e"}
    verdict = Vote.Verdict.REQUEST_CHANGES
    services.decide(
        refund, alice, verdict, digest=refund.digest, proposed_params=params
    )
    page = browser(alice).get(page_of(refund)).content.decode()

    assert '<ins><bdi dir="ltr">60</bdi></ins>' in page
    assert '<del><bdi dir="ltr">75</bdi></del>' in page
    assert "&lt;b&gt;<span" in page
    assert "U+202E" in page
    assert "\u202e" not in page
    assert "Proposed exact parameters." in page
