"""The bell: what is new since a page was drawn, and nothing when nothing is."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from governance.models import User
from notifications.jobs import publish_events
from tests.cast import AgentClient
from tests.pages import browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]

ASK = "admin:notifications_delivery_unread"


def ask(person: User, **known: str | int) -> Any:
    return browser(person).get(reverse(ASK), known)


def told(api: AgentClient, **fields: Any) -> None:
    api.submit(**fields)
    publish_events()


def test_what_is_new_is_told_once(api: AgentClient, alice: User) -> None:
    told(api)
    first = ask(alice, unread=0, newest=0).json()

    assert (first["unread"], first["shown"]) == (1, "1")
    [notice] = first["notices"]
    assert notice["title"] == "Approval needed"
    assert notice["body"] == "Refund 75 USD to customer C-7 for order A-1001"
    assert notice["url"].startswith("/admin/approvals/approvalrequest/")

    again = ask(alice, unread=first["unread"], newest=first["newest"])
    assert (again.status_code, again.content) == (204, b"")


def test_a_page_that_knows_nothing_is_told_numbers_alone(
    api: AgentClient, alice: User
) -> None:
    told(api)

    answer = ask(alice).json()
    assert (answer["unread"], answer["notices"]) == (1, [])


def test_what_was_read_elsewhere_goes_away(api: AgentClient, alice: User) -> None:
    told(api)
    first = ask(alice, unread=0, newest=0).json()
    browser(alice).post(
        reverse("admin:notifications_delivery_read"), {"newest": first["newest"]}
    )

    answer = ask(alice, unread=1, newest=first["newest"]).json()
    assert (answer["unread"], answer["shown"], answer["notices"]) == (0, "", [])


def test_a_flood_is_not_told_one_by_one(api: AgentClient, alice: User) -> None:
    for number in range(5):
        told(api, params={"customer_id": f"C-{number}"})

    answer = ask(alice, unread=0, newest=0).json()
    assert (answer["unread"], len(answer["notices"])) == (5, 3)


def test_everybody_hears_only_of_their_own(
    api: AgentClient, alice: User, charlie: User
) -> None:
    told(api)

    assert ask(charlie, unread=0, newest=0).status_code == 204


@pytest.mark.parametrize("odd", ["", "-1", "x", "9" * 5000, "\u0661"])
def test_odd_numbers_are_no_numbers(api: AgentClient, alice: User, odd: str) -> None:
    told(api)

    assert ask(alice, unread=odd, newest=odd).json()["notices"] == []


def test_asking_costs_little_and_changes_nothing(alice: User) -> None:
    visitor = browser(alice)
    with CaptureQueriesContext(connection) as asked:
        visitor.get(reverse(ASK), {"unread": 0, "newest": 0})

    assert len(asked) <= 4
    assert not any(each["sql"].startswith("UPDATE") for each in asked)


def test_it_hangs_on_every_page(api: AgentClient, alice: User) -> None:
    told(api)
    page = browser(alice).get(reverse("admin:index")).content.decode()

    assert 'id="bell"' in page
    assert 'aria-label="Notifications, 1 unread"' in page
