"""Deciding together in the console: what is shown first, what is refused, and done."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.urls import reverse

from approvals import services
from approvals.console import neighbours
from approvals.models import ApprovalRequest, Vote
from governance.models import Action, Agent, User
from tests.approvals.batches import install_rules, tagging, taggings
from tests.approvals.factories import QUEUE, browser, page_of
from tests.pages import queries

pytestmark = pytest.mark.django_db
BULK = "/admin/approvals/approvalrequest/together/"


@pytest.fixture(autouse=True)
def _rules(managers: Group) -> None:
    install_rules()


def text_of(answer: Any) -> str:
    """Return the words of a page, without its markup."""
    main = answer.content.decode().split('class="cs cs-together"')[-1]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def ask(
    person: User, requests: list[ApprovalRequest], verdict: str = "approve"
) -> HttpResponse:
    picked = {"verdict": verdict, "pick": [str(each.pk) for each in requests]}
    return browser(person).get(BULK, picked)  # type: ignore[return-value]


def send(
    person: User,
    requests: list[ApprovalRequest],
    verdict: str = "approve",
    *,
    follow: bool = False,
    comment: str = "",
    digests: dict[str, str] | None = None,
) -> Any:
    """Send what the page sends."""
    form = {
        "verdict": verdict,
        "pick": [str(each.pk) for each in requests],
        "comment": comment,
        **{f"digest-{each.pk}": each.digest for each in requests},
        **(digests or {}),
    }
    return browser(person).post(BULK, form, follow=follow)


def statuses() -> list[str]:
    return list(Action.objects.order_by("pk").values_list("status", flat=True))


def test_the_page_is_where_the_queue_sends_people(agent: Agent, alice: User) -> None:
    assert reverse("admin:approvals_approvalrequest_bulk") == BULK
    request = tagging(agent)
    mine = browser(alice).get(QUEUE).content.decode()
    everything = browser(alice).get(QUEUE, {"show": "all"}).content.decode()

    assert f'action="{BULK}"' in mine
    assert f'name="pick" value="{request.pk}"' in mine
    assert 'name="pick"' not in everything


def test_it_shows_what_would_be_approved_and_changes_nothing(
    agent: Agent, alice: User
) -> None:
    requests = taggings(agent, 2)
    other = tagging(agent, 3, "ticket.delete")
    answer = ask(alice, [*requests, other])

    assert answer.status_code == 200
    words = text_of(answer)
    assert "Approve 2 requests?" in words
    assert "tag billing ticket 1" in words
    assert "Not these 1 ticket.delete It cannot be undone." in words
    assert f'value="{requests[0].digest}"' in answer.content.decode()
    assert statuses() == ["pending"] * 3


def test_the_kind_most_of_them_are_goes_together(agent: Agent, alice: User) -> None:
    requests = [tagging(agent, 1, "ticket.close"), *taggings(agent, 2)]

    words = text_of(ask(alice, requests))
    assert "Approve 2 requests?" in words
    assert "another kind of action: ticket.close, not ticket.tag" in words


def test_all_that_one_may_decide_can_be_rejected_together(
    agent: Agent, alice: User
) -> None:
    requests = [tagging(agent), tagging(agent, 2, "ticket.delete")]

    assert "Reject 2 requests?" in text_of(ask(alice, requests, "reject"))


def test_what_is_not_theirs_is_said_to_be_not_theirs(
    agent: Agent, alice: User, carol: User, finance: Group
) -> None:
    request = tagging(agent)
    request.asked.add(finance)

    words = text_of(ask(carol, [request]))
    assert "None of these can be decided together" in words
    assert "You are not among the people asked" in words


def test_what_one_may_not_see_is_not_named(agent: Agent, charlie: User) -> None:
    charlie.groups.add(Group.objects.create(name="others"))
    request = tagging(agent)
    answer = ask(charlie, [request])

    assert answer.status_code == 403
    assert "ticket" not in text_of(answer)


def test_hidden_characters_are_spelled_out(agent: Agent, alice: User) -> None:
    request = tagging(agent, "1\u202e<b>")
    page = ask(alice, [request]).content.decode()

    assert "U+202E" in page
    assert "\u202e" not in page
    assert "<b>1" not in page


def test_more_than_fits_is_said_to_be_more(agent: Agent, alice: User) -> None:
    request = tagging(agent, {str(n): "x" * 200 for n in range(20)})

    words = text_of(ask(alice, [request], "reject"))
    assert "and 13 more" in words
    assert f"{'x' * 160}…" in words


def test_more_than_fits_is_not_approved_with_others(agent: Agent, alice: User) -> None:
    request = tagging(agent, {str(n): "x" for n in range(20)})

    words = text_of(ask(alice, [request, tagging(agent)]))
    assert "Approve 1 request?" in words
    assert "It must be read by itself: its parameters do not fit on a line." in words
    assert "1 approved, 1 not" in text_of(send(alice, [request, tagging(agent)]))
    assert statuses() == ["pending", "pending", "approved"]


def test_sent_it_is_decided(agent: Agent, alice: User) -> None:
    answer = send(alice, taggings(agent, 3), comment="All fine.", follow=True)

    assert answer.redirect_chain == [(QUEUE, 302)]
    assert "3 approved." in answer.content.decode()
    assert statuses() == ["approved"] * 3
    assert {vote.comment for vote in Vote.objects.all()} == {"All fine."}
    page = browser(alice).get(page_of(ApprovalRequest.objects.latest("pk")))
    assert "alice approved (Manager, together with others)" in page.content.decode()


def test_rejecting_takes_a_reason(agent: Agent, alice: User) -> None:
    requests = taggings(agent, 2)
    answer = send(alice, requests, "reject", comment=" ")

    assert answer.status_code == 422
    assert "Say why, once for all of them." in text_of(answer)
    assert statuses() == ["pending"] * 2
    assert send(alice, requests, "reject", comment="Storm.").status_code == 302
    assert statuses() == ["rejected"] * 2


def test_a_comment_that_cannot_be_kept_decides_nothing(
    agent: Agent, alice: User
) -> None:
    answer = send(alice, taggings(agent, 2), comment="\x00")

    assert answer.status_code == 422
    assert statuses() == ["pending"] * 2


def test_what_came_of_each_is_said(agent: Agent, alice: User, bob: User) -> None:
    first, second, third = taggings(agent, 3)
    services.decide(second, bob, Vote.Verdict.REJECT, digest=second.digest)
    digests = {f"digest-{third.pk}": first.digest}
    answer = send(alice, [first, second, third], digests=digests)

    assert answer.status_code == 200
    words = text_of(answer)
    assert "1 approved, 2 not" in words
    assert "Tag ticket 2 This request is rejected already: bob decided at" in words
    assert "Tag ticket 3 What you saw is not what is waiting now." in words
    assert statuses() == ["approved", "rejected", "pending"]


def test_what_was_not_shown_is_not_decided(agent: Agent, alice: User) -> None:
    request = tagging(agent)
    answer = send(alice, [request], digests={f"digest-{request.pk}": ""})

    assert "What you saw is not what is waiting now." in text_of(answer)
    assert statuses() == ["pending"]


@pytest.mark.parametrize("picked", [[], ["nonsense"], ["1; drop table"]])
def test_without_any_it_goes_back(alice: User, picked: list[str]) -> None:
    answer = browser(alice).get(BULK, {"verdict": "approve", "pick": picked})

    assert (answer.status_code, answer["Location"]) == (302, QUEUE)


@pytest.mark.parametrize("verdict", ["", "request_changes", "cancel"])
def test_there_are_two_verdicts(agent: Agent, alice: User, verdict: str) -> None:
    requests = taggings(agent, 1)

    assert ask(alice, requests, verdict).status_code == 404
    assert send(alice, requests, verdict).status_code == 404


def test_more_than_fifty_are_left_for_later(agent: Agent, alice: User) -> None:
    requests = taggings(agent, 51)

    words = text_of(ask(alice, requests))
    assert "Approve 50 requests?" in words
    assert "50 at once are enough." in words
    assert send(alice, requests).status_code == 422
    assert set(statuses()) == {"pending"}


def test_it_asks_the_same_of_the_database_for_each(agent: Agent, alice: User) -> None:
    taggings(agent, 2)
    few = len(queries(browser(alice), _address()))
    taggings(agent, 4)
    more = len(queries(browser(alice), _address()))

    # Who may decide is asked of each, as the service does; the rest is read once
    assert (more - few) / 4 <= 4


def _address() -> str:
    keys = ApprovalRequest.objects.values_list("pk", flat=True)
    return f"{BULK}?verdict=approve&" + "&".join(f"pick={key}" for key in keys)


# The way from one to the next


def test_neighbours_are_those_of_ones_own_queue(agent: Agent, alice: User) -> None:
    first, second, third = taggings(agent, 3)

    assert neighbours.of(first, alice) == neighbours.Neighbours(None, second.pk)
    assert neighbours.of(second, alice) == neighbours.Neighbours(first.pk, third.pk)
    assert neighbours.of(third, alice) == neighbours.Neighbours(second.pk, None)


def test_what_has_no_deadline_comes_last(agent: Agent, alice: User) -> None:
    first, second, third = taggings(agent, 3)
    endless = Action.objects.filter(pk__in=[first.action_id, second.action_id])
    endless.update(deadline_at=None)

    assert neighbours.of(third, alice) == neighbours.Neighbours(None, first.pk)
    assert neighbours.of(first, alice) == neighbours.Neighbours(third.pk, second.pk)
    assert neighbours.of(second, alice) == neighbours.Neighbours(first.pk, None)


def test_from_what_is_decided_the_way_leads_to_the_most_urgent(
    agent: Agent, alice: User, charlie: User
) -> None:
    first, second, third = taggings(agent, 3)
    services.decide(second, alice, Vote.Verdict.APPROVE, digest=second.digest)
    second.refresh_from_db()

    assert neighbours.of(second, alice) == neighbours.Neighbours(None, first.pk)
    assert neighbours.of(first, alice) == neighbours.Neighbours(None, third.pk)
    assert neighbours.of(first, charlie) == neighbours.Neighbours(None, None)


def test_the_page_leads_to_both(agent: Agent, alice: User) -> None:
    first, second, third = taggings(agent, 3)
    page = browser(alice).get(page_of(second)).content.decode()

    assert f'href="{page_of(first)}" aria-keyshortcuts="k"' in page
    assert f'href="{page_of(third)}" aria-keyshortcuts="j"' in page
