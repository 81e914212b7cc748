"""The pages that say no, as people see them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from approvals.models import ApprovalRequest, Vote
from governance.models import User
from tests.approvals.factories import page_of
from tests.browsing.conftest import Console, serious
from tests.browsing.test_bulk import is_too_wide
from tests.chromium import keep

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

COMMENT = "The mug is broken, the photo shows it."


def looks_right(page: Page, name: str) -> None:
    keep(page, name)
    assert serious(page) == []
    assert not is_too_wide(page)


@pytest.mark.parametrize(
    ("size", "scheme"),
    [("desktop", "light"), ("phone", "dark")],
)
def test_an_open_request_whose_reader_leaves_and_comes_back(
    refund: ApprovalRequest, alice: User, console: Console, size: str, scheme: str
) -> None:
    # Chromium calls a page that says no an error: of these nobody listens to any
    context = console(alice, size=size, scheme=scheme).context
    cookies: Any = context.cookies()
    left, page = context.new_page(), context.new_page()
    left.goto(page_of(refund))
    page.goto(page_of(refund))

    # In another tab they log out, and in again
    context.clear_cookies(name="sessionid")
    expect(left.get_by_text("You have been logged out.")).to_be_visible()
    expect(left.get_by_role("button", name="Approve")).to_be_disabled()
    looks_right(left, f"left-{scheme}")
    left.close()
    context.add_cookies(cookies)
    page.reload()
    context.clear_cookies(name="csrftoken")
    page.get_by_label("Comment").fill(COMMENT)
    page.get_by_role("button", name="Request changes").click()
    expect(page.get_by_role("heading", name="You have logged in again")).to_be_visible()
    expect(page.get_by_label("What you wrote")).to_have_value(COMMENT)
    assert not Vote.objects.exists()
    looks_right(page, f"stale-{scheme}")
    page.get_by_role("link", name="Look at it once more").click()
    expect(page.get_by_role("heading", name="What will run")).to_be_visible()

    page.goto("/nowhere/")
    looks_right(page, f"nowhere-{scheme}")
    alice.groups.clear()
    page.goto(page_of(refund))
    expect(page.get_by_text("alice has no right to this page.")).to_be_visible()
    looks_right(page, f"forbidden-{scheme}")
