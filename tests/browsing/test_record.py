"""The compliance officer's work in a real browser: find, download, print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from approvals.models import ApprovalRequest
from governance.models import Agent, Event, User
from tests.approvals.factories import make_request
from tests.browsing.conftest import Console, serious
from tests.chromium import first_everywhere, keep
from tests.pages import permit

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
EVENTS = "/admin/governance/event/"


@pytest.fixture
def auditor(charlie: User) -> User:
    seen = ("governance.view_event", "governance.view_action")
    permit(charlie, *seen, "governance.export_event")
    return charlie


def test_a_part_of_the_log_is_found_and_taken_away(
    refund: ApprovalRequest, auditor: User, console: Console
) -> None:
    page = console(auditor)
    page.goto(EVENTS)
    page.get_by_role("button", name="Filters").press("Enter")
    page.locator("#changelist-filter [name=action]").fill("refund.create")
    page.locator("#changelist-filter [name=policy]").fill("refunds-50-to-200")
    keep(page, "log-filters")
    assert serious(page) == []
    page.get_by_role("button", name="Apply Filters").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    assert "action=refund.create" in page.url

    with page.expect_download() as taken:
        page.get_by_role("button", name="CSV").click()
    lines = Path(taken.value.path()).read_text().splitlines()
    assert len(lines) == 2
    expect(page.locator("#downloads")).to_contain_text("complete, 1 row.")
    expect(page.locator("#downloads")).not_to_have_attribute(
        "hx-trigger", re.compile("every"), timeout=10_000
    )
    keep(page, "log-download")
    assert Event.objects.filter(kind="export_ended").count() == 1


@pytest.mark.parametrize("size", first_everywhere("desktop", "phone"))
def test_the_story_of_an_action_is_printed(
    refund: ApprovalRequest, auditor: User, console: Console, size: str
) -> None:
    page = console(auditor, size=size, scheme="dark")
    page.goto(f"/admin/governance/action/{refund.action_id}/change/")
    page.goto(f"/admin/approvals/approvalrequest/story/{refund.action_id}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Refund 75 USD")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate(
        "innerWidth"
    )
    assert serious(page) == []
    keep(page, "story")

    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    sheets = page.pdf(prefer_css_page_size=True)
    assert sheets.startswith(b"%PDF")
    assert 10_000 < len(sheets) < 1_000_000
    keep(page, "story-print")


def test_one_long_word_stays_in_its_column(
    refund: ApprovalRequest, agent: Agent, auditor: User, console: Console
) -> None:
    long = make_request(agent, customer_id="z" * 400, order_id="y" * 300)
    fits = """(list => list.length && list.every(each =>
        each.offsetWidth <= each.parentElement.clientWidth))"""
    page = console(auditor)
    for url in (EVENTS, "/admin/governance/action/"):
        page.goto(url)
        assert page.evaluate(f"{fits}([...document.querySelectorAll('#result_list')])")

    page = console(auditor, size="phone", scheme="dark")
    page.goto(f"/admin/governance/action/{long.action_id}/change/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
