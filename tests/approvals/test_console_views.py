"""Tabs, filters and saved views: which part of the queue a person sees."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals import jobs, services
from approvals.console import counting, saved
from approvals.models import ApprovalRequest, SavedView, Vote
from governance import clock
from governance.models import Agent, User
from governance.services import create_agent
from tests.approvals.factories import QUEUE, browser, make_request

pytestmark = pytest.mark.django_db
KEEP = f"{QUEUE}views/"


def shown(person: User, **query: str) -> set[ApprovalRequest]:
    answer = browser(person).get(QUEUE, query)
    assert answer.status_code == 200
    return {row.request for row in answer.context["cl"].rows}


def tabs(person: User, **query: str) -> dict[str, str]:
    """Return the count that each tab shows, by its title."""
    shelf = browser(person).get(QUEUE, query).context["cl"].shelf
    return {tab.title: tab.count for tab in shelf.tabs}


# Overdue


def test_what_waits_longer_than_promised_is_overdue(
    refund: ApprovalRequest, alice: User, carol: User
) -> None:
    assert shown(alice, show="overdue") == set()
    with clock.shifted(timedelta(minutes=16)):
        assert shown(alice, show="overdue") == {refund}
        assert tabs(alice)["Overdue"] == "1"
        assert shown(carol, show="overdue") == set()


def test_it_stays_overdue_when_a_worker_has_noted_it(
    refund: ApprovalRequest, alice: User
) -> None:
    with clock.shifted(timedelta(minutes=16)):
        jobs.settle_due()
        assert shown(alice, show="overdue") == {refund}


def test_what_is_decided_is_no_longer_overdue(
    refund: ApprovalRequest, alice: User
) -> None:
    with clock.shifted(timedelta(minutes=16)):
        services.decide(refund, alice, Vote.Verdict.REJECT, digest=refund.digest)
        assert shown(alice, show="overdue") == set()


# Filters


@pytest.fixture
def others(refund: ApprovalRequest, agent: Agent) -> dict[str, ApprovalRequest]:
    """Beside the refund of $75: by another agent, older, riskier, for both groups."""
    with clock.shifted(timedelta(hours=-2)):
        older = make_request(agent, customer_id="C-10")
    return {
        "agent": make_request(create_agent("other-bot"), customer_id="C-11"),
        "age": older,
        "group": make_request(agent, 500, customer_id="C-12"),
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"agent": "other-bot"}, {"agent"}),
        ({"agent": "nobody"}, set()),
        ({"age": "1h"}, {"age"}),
        ({"action": "refund.cancel"}, set()),
        ({"action": "refund.create", "agent": "other-bot"}, {"agent"}),
        ({"group": "finance"}, {"group"}),
        ({"risk": "high"}, {"group"}),
        ({"risk": "critical"}, set()),
    ],
)
def test_a_filter_leaves_out_the_rest(
    others: dict[str, ApprovalRequest],
    alice: User,
    carol: User,
    query: dict[str, str],
    found: set[str],
) -> None:
    person = carol if "group" in found or query.get("group") else alice

    assert shown(person, **query) == {others[name] for name in found}


def test_on_closed_tabs_a_group_is_who_was_asked(
    refund: ApprovalRequest, alice: User
) -> None:
    services.decide(refund, alice, Vote.Verdict.REJECT, digest=refund.digest)
    asked = {"group": "customer-service-managers"}

    assert shown(alice, show="all", **asked) == {refund}
    assert shown(alice, show="all", group="finance") == set()


@pytest.mark.parametrize(
    "query",
    [{"risk": "x"}, {"age": "-1d"}, {"agent": "\x00"}, {"q": "\x00"}, {"p": "99"}],
)
def test_what_makes_no_sense_is_as_if_it_were_not_there(
    refund: ApprovalRequest, alice: User, query: dict[str, str]
) -> None:
    assert shown(alice, **query) == {refund}


def test_what_is_chosen_is_said_and_can_be_taken_back(
    refund: ApprovalRequest, alice: User
) -> None:
    page = browser(alice).get(QUEUE, {"agent": "<b>x", "risk": "low", "q": "C-7"})

    html = page.content.decode()
    assert 'href="?show=mine&amp;agent=%3Cb%3Ex&amp;q=C-7"' in html
    assert "<b>x" not in html


# Counting


def test_nobody_counts_further_than_a_thousand() -> None:
    assert counting.shown(0) == ""
    assert counting.shown(1_000) == "1,000"
    assert counting.shown(1_001) == "1,000+"


def test_counting_stops_early(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    for number in range(3):
        make_request(agent, customer_id=f"N-{number}")
    lists = {"mine": ApprovalRequest.objects.waiting_for(alice)}

    assert counting.lengths(alice, lists) == {"mine": 4}
    assert counting.lengths(alice, lists, most=2) == {"mine": 3}
    none = {"none": ApprovalRequest.objects.none()}
    assert counting.lengths(alice, none) == {"none": 0}


# Saved views


def keep(person: User, name: str, query: str = "show=mine&risk=high") -> Any:
    return browser(person).post(KEEP, {"name": name, "query": query}, follow=True)


def test_a_view_is_a_tab_with_a_count(refund: ApprovalRequest, alice: User) -> None:
    keep(alice, "Bots", "show=mine&agent=refund-bot&q=C-7&nonsense=1")

    assert SavedView.objects.get().query == "show=mine&agent=refund-bot&q=C-7"
    assert tabs(alice)["Bots"] == "1"
    active = browser(alice).get(QUEUE, {"agent": "refund-bot", "q": "C-7"})
    assert active.context["cl"].shelf.active.title == "Bots"


def test_a_view_is_only_of_who_saved_it(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    keep(alice, "Bots")
    view = SavedView.objects.get()

    assert "Bots" not in tabs(bob)
    answer = browser(bob).post(f"{KEEP}{view.pk}/", {"delete": "1"})
    assert answer.status_code == 404
    assert SavedView.objects.exists()


def test_a_view_can_be_renamed_and_deleted(
    refund: ApprovalRequest, alice: User
) -> None:
    keep(alice, "Bots")
    keep(alice, "Others", "show=all")
    view = SavedView.objects.get(name="Bots")
    page = f"{KEEP}{view.pk}/"

    browser(alice).post(page, {"name": " The  bots "})
    view.refresh_from_db()
    assert (view.name, view.query) == ("The bots", "show=mine&risk=high")

    refused = browser(alice).post(page, {"name": "Others"}, follow=True)
    assert "You have a view of that name." in refused.content.decode()

    browser(alice).post(page, {"delete": "1", "name": ""})
    assert SavedView.objects.get().name == "Others"


@pytest.mark.parametrize(
    ("name", "query", "why"),
    [
        ("", "", "Give the view a name."),
        ("   ", "", "Give the view a name."),
        ("x" * 51, "", "Keep the name under 51 characters."),
        ("a\x00b", "", "Null characters are not allowed."),
        (
            "a",
            "show=mine&"
            + "&".join(
                f"{name}={'%E2%82%AC' * 200}"
                for name in ("agent", "action", "group", "q")
            ),
            "That is too much to keep: search for less.",
        ),
    ],
)
def test_a_view_that_cannot_be_kept_is_refused(
    refund: ApprovalRequest, alice: User, name: str, query: str, why: str
) -> None:
    assert why in keep(alice, name, query).content.decode()
    assert not SavedView.objects.exists()


def test_there_is_an_end_to_it(refund: ApprovalRequest, alice: User) -> None:
    SavedView.objects.bulk_create(
        SavedView(person=alice, name=f"View {n}", query="show=all")
        for n in range(saved.MOST)
    )

    page = keep(alice, "One more").content.decode()
    assert "You have 20 views: delete one first." in page


def test_a_view_leads_nowhere_else(refund: ApprovalRequest, alice: User) -> None:
    answer = browser(alice).post(KEEP, {"name": "", "query": "//evil.example/?x"})

    assert answer["Location"] == f"{QUEUE}?show=mine"


def test_looking_at_its_address_saves_nothing(
    refund: ApprovalRequest, alice: User, charlie: User
) -> None:
    assert browser(alice).get(KEEP).status_code == 405
    assert browser(charlie).post(KEEP, {"name": "x"}).status_code == 403


def test_twenty_views_cost_no_query_more_than_one(
    refund: ApprovalRequest, alice: User
) -> None:
    visitor = browser(alice)
    keep(alice, "The first")
    visitor.get(QUEUE)
    with CaptureQueriesContext(connection) as one:
        visitor.get(QUEUE)
    for number in range(saved.MOST - 1):
        keep(alice, f"View {number}")
    with CaptureQueriesContext(connection) as twenty:
        visitor.get(QUEUE)

    assert len(twenty) == len(one)
