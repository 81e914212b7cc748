from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals import services
from approvals.models import ApprovalRequest, Vote
from governance.models import Action, Agent, Status, User
from tests.approvals.factories import browser, make_request, page_of

pytestmark = pytest.mark.django_db


def page(person: User, request: ApprovalRequest) -> str:
    answer = browser(person).get(page_of(request))
    assert answer.status_code == 200
    return answer.content.decode()


def section(html: str, name: str) -> str:
    """Return one box of the page, as text."""
    found = re.search(
        rf'<section[^>]*aria-labelledby="{name}-title".*?</section>', html, re.S
    )
    assert found, name
    inline = re.sub(r"</?(b|bdi|time)\b[^>]*>", "", found[0])
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", inline)).split())


def test_it_shows_every_parameter(
    refund_rules: None, agent: Agent, alice: User
) -> None:
    request = make_request(agent, lines=[{"sku": "X-1", "gift": True}], note=None)
    facts = section(page(alice, request), "facts")

    for words in (
        "amount 75 75.00 USD number",
        "no. 1 › sku X-1",  # noqa: RUF001
        "gift true",
        "note null",
    ):
        assert words in facts


def test_it_never_cuts_a_parameter(
    refund_rules: None, agent: Agent, alice: User
) -> None:
    long = "a" * 16 * 1024 + "THE END"
    request = make_request(agent, note=long)

    assert long in page(alice, request)


def test_it_says_what_will_run_and_on_what(
    refund: ApprovalRequest, alice: User
) -> None:
    facts = section(page(alice, refund), "facts")

    for words in ("refund.create", "order A-1001", "Cannot be undone", refund.digest):
        assert words in facts


def test_the_agents_words_stay_in_their_own_box(
    refund_rules: None, agent: Agent, alice: User
) -> None:
    request = make_request(
        agent, reason="Trust me blindly.", context={"source": "hearsay"}
    )
    html = page(alice, request)

    assert "Trust me blindly." in section(html, "says")
    assert "source hearsay" in section(html, "says")
    assert "Unverified" in section(html, "says")
    assert html.count("Trust me blindly.") == html.count("hearsay") == 1


def test_it_says_why_people_are_asked(refund: ApprovalRequest, alice: User) -> None:
    why = section(page(alice, refund), "why")

    for words in (
        "Refunds from $50 to $200 need a manager. refunds-50-to-200 v1",
        "30 Medium",
        "+20 action type refund.create",
        "+10 resource order",
        "customer refunds: 0",
    ):
        assert words in why


def test_it_says_who_must_agree_and_what_silence_does(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    stages = section(page(alice, refund), "stages")

    for words in (
        "0 of 1 approval, from customer-service-managers",
        "Can approve: alice, bob",
        "finance will be asked as well",
    ):
        assert words in stages


def test_it_warns_when_nobody_can_approve(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    agent.owner = alice
    agent.save(update_fields=["owner"])

    assert "Nobody can approve here." in section(page(alice, refund), "stages")


def test_it_shows_what_the_same_customer_had_before(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    services.decide(refund, alice, Vote.Verdict.REJECT, digest=refund.digest)
    make_request(agent, 80, customer_id="C-8", order_id="A-2")
    request = make_request(agent, 90, order_id="A-3")
    before = section(page(alice, request), "earlier")

    assert "Refund 75 USD to customer C-7 for order A-1001 alice rejected" in before
    assert "C-8" not in before
    assert "customer_id C-7" in before


def test_it_shows_what_happened_to_the_same_resource(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    request = make_request(agent, 90, customer_id="C-8")

    assert "Refund 75 USD to customer C-7" in section(page(alice, request), "earlier")


def test_it_shows_the_latest_ten(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    for amount in range(51, 63):
        last = make_request(agent, amount)
    before = section(page(alice, last), "earlier")

    assert before.count("Refund ") == 10
    assert "Refund 61 USD" in before


def test_it_tells_the_story_so_far(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    page(alice, refund)
    services.decide(
        refund, alice, Vote.Verdict.APPROVE, digest=refund.digest, comment="Go on."
    )
    services.consume(refund.action_id, agent, refund.digest)
    services.report(refund.action_id, agent, Status.FAILED)
    story = section(page(alice, refund), "story")

    steps = [
        "refund-bot asked for permission",
        "Manager: one person out of customer-service-managers must approve",
        "alice opened it",
        "alice approved (Manager) Go on.",
        "Manager is satisfied",
        "Approved: the agent may go ahead",
        "refund-bot used the permission",
        "refund-bot reported: failed",
    ]
    places = [story.index(step) for step in steps]
    assert places == sorted(places)


def test_a_revision_that_was_replaced_points_to_the_new_one(
    refund: ApprovalRequest, alice: User
) -> None:
    services.decide(
        refund, alice, Vote.Verdict.REQUEST_CHANGES, digest=refund.digest, comment="50"
    )
    newer = _revise(refund)
    old, new = page(alice, refund), page(alice, newer)

    assert f'<a href="{page_of(newer)}">Look at revision 2</a>' in old
    assert 'name="verdict"' not in old
    assert "Revision 1" in section(new, "revisions")


def _revise(request: ApprovalRequest) -> ApprovalRequest:
    Action.objects.filter(pk=request.action_id).update(
        revision=2, digest="sha256:2", params={"amount": 50}, status=Status.PENDING
    )
    newer = ApprovalRequest.objects.create(
        action=request.action,
        revision=2,
        digest="sha256:2",
        params={"amount": 50},
        summary="Refund 50",
        opened_at=request.opened_at,
    )
    newer.asked.set(request.asked.all())
    return newer


def test_it_takes_as_many_queries_with_a_long_story(
    refund: ApprovalRequest, agent: Agent, alice: User, bob: User
) -> None:
    visitor = browser(alice)
    visitor.get(page_of(refund))
    with CaptureQueriesContext(connection) as short:
        visitor.get(page_of(refund))

    browser(bob).get(page_of(refund))
    with CaptureQueriesContext(connection) as long:
        visitor.get(page_of(refund))
    assert len(long) == len(short)


def test_the_page_can_be_neither_framed_nor_kept(
    refund: ApprovalRequest, alice: User
) -> None:
    answer = browser(alice).get(page_of(refund))

    assert answer["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert "no-store" in answer["Cache-Control"]
