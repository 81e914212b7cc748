"""Deciding on a phone: the verdicts stay under the thumb, and nothing scrolls sideways."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from approvals.models import ApprovalRequest, Vote
from governance.models import User
from tests.approvals.factories import page_of
from tests.browsing.conftest import Console, serious
from tests.browsing.test_bulk import is_too_wide
from tests.chromium import first_everywhere, keep

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
VERDICTS = ["Approve", "Request changes", "Reject"]


def heights(page: Page) -> list[float]:
    """Return how high each verdict is, all of them on the screen as it is."""
    found = []
    for name in VERDICTS:
        button = page.get_by_role("button", name=name, exact=True)
        expect(button).to_be_in_viewport(ratio=1)
        box = button.bounding_box()
        assert box
        found.append(box["height"])
    return found


@pytest.mark.parametrize("scheme", first_everywhere("light", "dark"))
def test_it_is_decided_with_one_thumb(
    refund: ApprovalRequest, alice: User, console: Console, scheme: str
) -> None:
    page = console(alice, size="phone", scheme=scheme)
    page.goto(page_of(refund))

    assert min(heights(page)) >= 44
    assert not is_too_wide(page)
    page.mouse.wheel(0, 20_000)
    assert min(heights(page)) >= 44
    keep(page, f"thumb-{scheme}")
    assert serious(page) == []

    # What cannot be undone takes a tick first: the page goes there by itself
    page.get_by_role("button", name="Approve", exact=True).click()
    confirmed = page.locator("#id_confirmed")
    expect(confirmed).to_be_focused()
    expect(confirmed).to_be_in_viewport()
    assert not Vote.objects.exists()
    confirmed.check()
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Approved, the agent may go ahead")).to_be_visible()
