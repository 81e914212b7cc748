"""Somebody has a request open, and meanwhile it changes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from approvals import services
from approvals.console.forms import prefilled
from approvals.models import ApprovalRequest, Vote
from governance.models import Agent, Event, User
from tests.approvals.factories import browser, form_for, make_request, page_of
from tests.approvals.test_console_review import section

pytestmark = pytest.mark.django_db
BUTTON = 'name="verdict"'


def say(
    request: ApprovalRequest, person: User, verdict: str, comment: str = ""
) -> None:
    services.decide(
        request, person, Vote.Verdict(verdict), digest=request.digest, comment=comment
    )


def revise(request: ApprovalRequest, agent: Agent, **params: Any) -> ApprovalRequest:
    changed = {"params": {**request.params, **params}}
    newer = services.revise(request.action_id, agent, changed)[0].request
    assert newer
    return newer


class Tab:
    """A page that somebody has opened, and what it goes on asking."""

    def __init__(self, person: User, request: ApprovalRequest) -> None:
        self.visitor: Client = browser(person)
        self.request = request
        self.html = self.visitor.get(page_of(request)).content.decode()

    def ask(self) -> HttpResponse:
        found = re.search(r'hx-get="([^"]+/moved/\?seen=\d+)"', self.html)
        assert found
        return self.visitor.get(found[1])  # type: ignore[return-value]

    def send(self, verdict: str = "approve", **fields: Any) -> HttpResponse:
        stamp = re.search(r'name="shown" value="([^"]+)"', self.html)
        assert stamp
        form = form_for(self.request, verdict, shown=stamp[1], **fields)
        form.setdefault("proposal", prefilled(self.request.params))
        return self.visitor.post(page_of(self.request), form)  # type: ignore[return-value]


# While it is open


def test_it_hears_nothing_while_nothing_happens(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    tab = Tab(alice, refund)
    browser(bob).get(page_of(refund))
    events = Event.objects.count()

    answer = tab.ask()
    assert (answer.status_code, answer.content) == (204, b"")
    assert Event.objects.count() == events


def test_it_hears_who_decided(refund: ApprovalRequest, alice: User, bob: User) -> None:
    tab = Tab(alice, refund)
    say(refund, bob, "approve")
    said = tab.ask().content.decode()

    assert "bob approved this a moment ago." in said
    assert (
        '<fieldset class="cs-buttons" id="verdicts" disabled hx-swap-oob="true">'
        in said
    )


def test_it_hears_of_a_new_revision(
    refund: ApprovalRequest, agent: Agent, alice: User, bob: User
) -> None:
    tab = Tab(alice, refund)
    say(refund, bob, "request_changes", "Less, please.")
    newer = revise(refund, agent, amount=60)
    said = tab.ask().content.decode()

    assert "A new revision came a moment ago." in said
    assert f'<a href="{page_of(newer)}">Look at revision 2</a>' in said
    assert "disabled" in said


def test_the_vote_of_another_leaves_the_buttons_where_more_are_needed(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    refund.stages.update(needed=2)
    tab = Tab(alice, refund)
    say(refund, bob, "approve")
    said = tab.ask().content.decode()

    assert "bob approved this a moment ago." in said
    assert "verdicts" not in said


def test_who_is_logged_out_hears_it_and_decides_nothing_more(
    refund: ApprovalRequest, alice: User
) -> None:
    tab = Tab(alice, refund)
    tab.visitor.logout()
    address = f"{page_of(refund)}".replace("/change/", "/moved/?seen=0")

    answer = tab.visitor.get(address, headers={"HX-Request": "true"})
    said = answer.content.decode()
    assert answer.status_code == 200
    assert "You have been logged out." in said
    assert f"/admin/login/?next={page_of(refund).replace('/', '%2F')}" in said
    assert 'id="verdicts" disabled' in said
    assert "hx-get" not in said
    assert tab.visitor.get(address).status_code == 302


def test_each_piece_of_news_is_told_once(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    tab = Tab(alice, refund)
    say(refund, bob, "approve")
    tab.html = tab.ask().content.decode()

    assert tab.ask().status_code == 204


def test_outsiders_hear_nothing(refund: ApprovalRequest, charlie: User) -> None:
    url = f"/admin/approvals/approvalrequest/{refund.pk}/moved/?seen=0"

    assert browser(charlie).get(url).status_code == 404
    assert Client().get(url).status_code == 302


@pytest.mark.parametrize("seen", ["", "x", "-1", "9" * 40, "\u0663"])
def test_an_odd_question_is_answered_from_the_start(
    refund: ApprovalRequest, alice: User, seen: str
) -> None:
    url = f"/admin/approvals/approvalrequest/{refund.pk}/moved/"

    assert browser(alice).get(url, {"seen": seen}).status_code == 200


def test_asking_costs_little(refund: ApprovalRequest, alice: User) -> None:
    tab = Tab(alice, refund)
    with CaptureQueriesContext(connection) as asked:
        tab.ask()

    assert len(asked) <= 8


# When it is sent all the same


def test_a_refusal_says_what_has_happened_since(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    tab = Tab(alice, refund)
    say(refund, bob, "reject", "Fraud.")
    answer = tab.send(comment="I think it is fine.")
    turned = section(answer.content.decode(), "turned")

    assert answer.status_code == 409
    assert "This request is rejected already: bob decided" in turned
    assert "bob rejected (Manager): “Fraud.”" in turned
    assert "What you wrote I think it is fine." in turned
    assert "alice opened it" not in turned
    assert Vote.objects.get().by == "bob"


def test_another_revision_is_shown_beside_the_one_that_was(
    refund: ApprovalRequest, agent: Agent, alice: User, bob: User
) -> None:
    tab = Tab(alice, refund)
    say(refund, bob, "request_changes", "Less, please.")
    newer = revise(refund, agent, amount=60, note="half")
    answer = tab.send(comment="Clear photo.", checks="params.amount <= 75")
    html = answer.content.decode()

    assert answer.status_code == 409
    assert "You were shown revision 1. This is revision 2" in section(html, "turned")
    assert "amount (changed) 75 75.00 USD 60 60.00 USD" in section(html, "since")
    assert f'name="digest" value="{newer.digest}"' in html
    assert ">\nClear photo.</textarea>" in html
    assert "params.amount &lt;= 75" not in html
    assert Vote.objects.get().by == "bob"


def test_what_was_shown_is_compared_over_several_revisions(
    refund: ApprovalRequest, agent: Agent, alice: User, bob: User
) -> None:
    tab = Tab(alice, refund)
    say(refund, bob, "request_changes", "Less.")
    second = revise(refund, agent, amount=60)
    say(second, bob, "request_changes", "Less.")
    revise(second, agent, amount=50)
    since = section(tab.send().content.decode(), "since")

    assert "What changed since revision 1" in since
    assert "75" in since
    assert "60" not in since


def test_the_next_page_can_be_decided_at_once(
    refund: ApprovalRequest, agent: Agent, alice: User, bob: User
) -> None:
    tab = Tab(alice, refund)
    say(refund, bob, "request_changes", "Less.")
    tab.request, old = revise(refund, agent, amount=60), tab.request
    tab.html = tab.visitor.post(page_of(old), form_for(old)).content.decode()

    assert tab.send().status_code == 302
    assert Vote.objects.get(person=alice).shown_at


def test_a_right_that_is_gone_is_a_refusal_with_the_comment(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    refund.stages.update(needed=2)
    tab = Tab(alice, refund)
    say(refund, alice, "approve")
    answer = tab.send("reject", comment="On second thoughts, no.")
    turned = section(answer.content.decode(), "turned")

    assert "You have decided on this revision already." in turned
    assert "alice approved (Manager)" in turned
    assert "On second thoughts, no." in turned


# Afterwards


def test_what_is_closed_leads_on(
    refund: ApprovalRequest, agent: Agent, alice: User, bob: User
) -> None:
    say(refund, bob, "approve")
    html = browser(alice).get(page_of(refund)).content.decode()
    assert "Back to the queue" in section(html, "decide")
    assert BUTTON not in html
    assert "/moved/" not in html

    make_request(agent, 80, customer_id="C-9")
    html = browser(alice).get(page_of(refund)).content.decode()
    assert "Next in your queue" in section(html, "decide")
