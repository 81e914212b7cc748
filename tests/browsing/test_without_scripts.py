"""The console where no script runs: people log in, decide, and decide together."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import expect

from approvals.models import ApprovalRequest, Vote
from governance.models import Action, Agent, User
from tests.approvals.batches import install_rules, tagging, taggings
from tests.approvals.factories import QUEUE, page_of
from tests.browsing.conftest import Console
from tests.browsing.test_bulk import is_too_wide, pick
from tests.chromium import keep

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_people_decide_without_scripts(
    managers: Group, agent: Agent, alice: User, console: Console, size: str
) -> None:
    install_rules()
    first, *_ = taggings(agent, 3)
    tagging(agent, 4, "ticket.delete")

    page = console(None, size=size, scripts=False)
    page.goto(QUEUE)
    page.get_by_label("Username").fill("alice")
    page.get_by_label("Password").fill("demo")
    keep(page, "plain-login")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Tag ticket 1")).to_be_visible()
    keep(page, "plain-queue")

    page.get_by_role("link", name="Tag ticket 1").click()
    expect(page.get_by_role("heading", name="What will run")).to_be_visible()
    keep(page, "plain-review")
    page.get_by_label("Comment").fill("Without a script.")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Approved, the agent may go ahead")).to_be_visible()
    assert Vote.objects.get().request == first

    page.goto(QUEUE)
    pick(page, 0, 1, 2)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("It cannot be undone.")).to_be_visible()
    keep(page, "plain-together")
    page.get_by_role("button", name="Approve 2").click()
    expect(page.get_by_text("2 approved.")).to_be_visible()
    statuses = Action.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["approved"] * 3 + ["pending"]

    page.locator("#bell").click()
    page.get_by_role("button", name="Log out").click()
    page.goto(QUEUE)
    expect(page.get_by_label("Username")).to_be_visible()


def test_a_page_whose_scripts_do_not_come_is_shown(
    refund: ApprovalRequest, alice: User, console: Console
) -> None:
    page = console(alice)
    page.route("**/alpine.js", lambda route: route.fulfill(body=""))
    page.goto(page_of(refund))

    expect(page.get_by_role("button", name="Approve", exact=True)).to_be_visible()
    assert not is_too_wide(page)
    page.locator("#id_confirmed").check()
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Approved, the agent may go ahead")).to_be_visible()
