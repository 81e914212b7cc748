from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals import services
from approvals.models import ApprovalRequest, Vote
from governance import clock
from governance.models import Agent, User
from tests.approvals.factories import QUEUE, browser, make_request
from tests.cast import make_user

pytestmark = pytest.mark.django_db


def shown(person: User, **query: str) -> list[ApprovalRequest]:
    """Return the requests on a tab of this person's queue, in their order."""
    answer = browser(person).get(QUEUE, query)
    assert answer.status_code == 200
    return [row.request for row in answer.context["cl"].rows]


def text_of(person: User, **query: str) -> str:
    html = browser(person).get(QUEUE, query).content.decode()
    return re.sub(r"</?(b|bdi)\b[^>]*>", "", html)


def test_it_starts_with_what_this_person_may_decide(
    refund: ApprovalRequest, agent: Agent, alice: User, carol: User
) -> None:
    large = make_request(agent, 500, customer_id="C-9")

    assert shown(alice) == [refund]
    assert shown(carol) == [large]


def test_the_most_urgent_comes_first(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    with clock.shifted(timedelta(hours=-1)):
        older = make_request(agent, 60, customer_id="C-9")

    assert shown(alice) == [older, refund]


def test_what_one_has_decided_moves_to_another_tab(
    refund: ApprovalRequest, alice: User
) -> None:
    refund.stages.update(needed=2)
    services.decide(refund, alice, Vote.Verdict.APPROVE, digest=refund.digest)

    assert shown(alice) == []
    assert shown(alice, show="waiting") == [refund]
    assert shown(alice, show="decided") == [refund]


def test_a_group_sees_what_was_decided_by_one_of_them(
    refund: ApprovalRequest, alice: User, bob: User, carol: User
) -> None:
    services.decide(refund, alice, Vote.Verdict.REJECT, digest=refund.digest)

    assert shown(bob) == []
    assert shown(bob, show="all") == [refund]
    assert shown(carol, show="all") == []


def test_later_stages_see_what_is_coming(
    refund_rules: None, agent: Agent, alice: User, carol: User
) -> None:
    coming = make_request(agent, 75, currency="EUR")

    assert shown(alice) == [coming]
    assert shown(carol) == []
    assert shown(carol, show="waiting") == [coming]


def test_a_superuser_sees_everything_and_is_asked_nothing(
    refund: ApprovalRequest,
) -> None:
    root = make_user("root", is_superuser=True)

    assert shown(root) == []
    assert shown(root, show="all") == [refund]


def test_nobody_is_asked_about_their_own_agent(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    agent.owner = alice
    agent.save(update_fields=["owner"])

    assert shown(alice) == []


def test_a_row_says_what_matters(refund: ApprovalRequest, alice: User) -> None:
    page = text_of(alice)

    for words in (
        "Refund 75 USD to customer C-7 for order A-1001",
        "Refunds from $50 to $200 need a manager.",
        "refund-bot",
        "30 Medium",
        "0 of 1",
        "waiting for Manager",
        "3 h 59 min left",
    ):
        assert words in page


def test_what_silence_has_decided_shows_without_a_worker(
    refund: ApprovalRequest, alice: User
) -> None:
    with clock.shifted(timedelta(hours=9)):
        page = text_of(alice)

    assert "Expired" in page
    assert "min left" not in page


def test_an_empty_queue_says_so_kindly(refund_rules: None, alice: User) -> None:
    assert "You are all caught up" in text_of(alice)


def test_it_tells_those_who_are_never_asked(refund_rules: None) -> None:
    root = make_user("root", is_superuser=True)

    assert "None of yours is named in one." in text_of(root)


@pytest.mark.parametrize(
    "found_by", ["action", "request", "params", "agent", "summary"]
)
def test_search_finds_it_by(
    refund: ApprovalRequest, alice: User, found_by: str
) -> None:
    words = {
        "action": str(refund.action_id),
        "request": str(refund.pk),
        "params": "c-7 usd",
        "agent": "refund-b",
        "summary": "order A-1001",
    }

    assert shown(alice, q=words[found_by]) == [refund]


def test_search_finds_letters_beyond_ascii(
    refund_rules: None, agent: Agent, alice: User
) -> None:
    named = make_request(agent, payee="Zoë Müller")

    assert shown(alice, q="Müller") == [named]


def test_search_finds_nothing_else(refund: ApprovalRequest, alice: User) -> None:
    assert shown(alice, q="C-8") == []
    assert "Nothing found" in text_of(alice, q="C-8")


def test_search_stays_on_its_tab(refund: ApprovalRequest, alice: User) -> None:
    page = text_of(alice, q="C-7", show="all")

    assert '<input type="hidden" name="show" value="all">' in page


def test_a_tab_that_does_not_exist_is_the_first(
    refund: ApprovalRequest, alice: User
) -> None:
    assert shown(alice, show="nonsense") == [refund]


@pytest.mark.parametrize("tab", ["mine", "all"])
def test_it_takes_as_many_queries_for_eleven_as_for_one(
    refund: ApprovalRequest, agent: Agent, alice: User, tab: str
) -> None:
    visitor = browser(alice)
    visitor.get(QUEUE, {"show": tab})
    with CaptureQueriesContext(
        connection,
    ) as one:
        visitor.get(QUEUE, {"show": tab})

    for number in range(10):
        make_request(agent, customer_id=f"N-{number}")
    with CaptureQueriesContext(connection) as eleven:
        page = visitor.get(QUEUE, {"show": tab})

    assert len(page.context["cl"].rows) == 11
    assert len(eleven) == len(one)
    assert len(one) <= 29
