"""The bell counts while one looks at it."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from governance.models import User
from notifications.jobs import publish_events
from tests.browsing.conftest import Console
from tests.cast import AgentClient
from tests.chromium import keep

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.mark.usefixtures("refund_rules")
def test_it_rings_without_the_page_being_drawn_again(
    console: Console, api: AgentClient, alice: User
) -> None:
    page = console(alice)
    page.goto("/admin/")
    bell = page.locator("#bell")
    expect(bell).to_have_attribute("aria-label", "Notifications, none unread")

    api.submit()
    publish_events()
    expect(bell).to_have_attribute(
        "aria-label", "Notifications, 1 unread", timeout=15_000
    )
    expect(bell).to_contain_text("1")
    keep(page, "bell")
