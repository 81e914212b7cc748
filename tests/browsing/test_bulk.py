"""Deciding on several at once, with a mouse or a thumb."""

from __future__ import annotations

import re
from itertools import product

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Page, expect

from governance.models import Action, Agent, User
from tests.approvals.batches import install_rules, tagging, taggings
from tests.approvals.factories import QUEUE
from tests.browsing.conftest import Console, serious
from tests.chromium import SIZES, first_everywhere, keep

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def pick(page: Page, *positions: int) -> None:
    for position in positions:
        page.locator("[name=pick]").nth(position).check()


def is_too_wide(page: Page) -> bool:
    wide: bool = page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wide


@pytest.mark.parametrize(
    ("size", "scheme"),
    first_everywhere(*product(SIZES, ("light", "dark"))),
)
def test_what_is_safe_goes_together(
    managers: Group, agent: Agent, alice: User, console: Console, size: str, scheme: str
) -> None:
    install_rules()
    taggings(agent, 3)
    tagging(agent, 4, "ticket.delete")

    page = console(alice, size=size, scheme=scheme)
    page.goto(QUEUE)
    approve = page.get_by_role("button", name=re.compile("Approve"))
    expect(approve).to_be_hidden()
    pick(page, 0, 1, 3)
    expect(approve).to_have_text(re.compile("Approve 3…"))
    keep(page, f"picked-{scheme}")
    assert serious(page) == []
    assert not is_too_wide(page)
    # The list goes on by itself, and what is picked stays picked
    tagging(agent, 5)
    page.get_by_role("link", name="Tag ticket 5").wait_for()
    expect(approve).to_have_text(re.compile("Approve 3…"))
    approve.click()

    # The last one cannot be undone: it stays behind, and it is said why
    expect(page.get_by_role("heading", name="Approve 2 requests?")).to_be_visible()
    expect(page.get_by_text("It cannot be undone.")).to_be_visible()
    keep(page, f"together-{scheme}")
    assert serious(page) == []
    assert not is_too_wide(page)
    page.get_by_role("button", name="Approve 2").click()
    expect(page.get_by_text("2 approved.")).to_be_visible()

    page.get_by_role("link", name="Tag ticket 3").wait_for()
    pick(page, 0, 1)
    page.get_by_role("button", name=re.compile("Reject")).click()
    button = page.get_by_role("button", name="Reject 2")
    button.click()
    comment = page.get_by_label("Reason, the same for all of them")
    expect(comment).to_be_focused()
    box = button.bounding_box()
    assert box
    assert box["height"] >= 44
    comment.fill("Not today.")
    button.click()
    expect(page.get_by_text("2 rejected.")).to_be_visible()
    statuses = Action.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["approved"] * 2 + ["rejected"] * 2 + ["pending"]
