"""The queue is alive: what one person decides, another sees, and keeps their place."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from approvals import services
from approvals.models import ApprovalRequest, Vote
from governance.models import Agent, User
from tests.approvals.factories import QUEUE, make_request, page_of
from tests.browsing.conftest import Console, _session_of, serious
from tests.chromium import first_everywhere, keep

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SOON = 2_000
WIDTH = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def row(page: Page, request: ApprovalRequest) -> str:
    return f'tr[data-pk="{request.pk}"]'


def top(page: Page, request: ApprovalRequest) -> float:
    found = page.locator(row(page, request)).bounding_box()
    assert found
    return found["y"]


@pytest.mark.parametrize("size", first_everywhere("desktop", "phone"))
def test_it_changes_under_the_readers_eyes(
    refund: ApprovalRequest,
    agent: Agent,
    alice: User,
    bob: User,
    console: Console,
    size: str,
) -> None:
    others = [make_request(agent, 60 + n, customer_id=f"N-{n}") for n in range(12)]
    page = console(bob, size=size)
    page.goto(QUEUE)
    box = page.locator("#searchbar")
    box.fill("customer N")
    picked, last = others[4], others[-1]
    tick = page.locator(f"#pick-{picked.pk}")
    tick.check()
    page.locator(f"#open-{last.pk}").scroll_into_view_if_needed()
    before = page.evaluate("scrollY || document.querySelector('#main')?.scrollTop")
    box.evaluate("box => box.focus({preventScroll: true})")
    place = top(page, last)

    # Alice decides on another: it goes, and everything else stays where it is.
    services.decide(refund, alice, Vote.Verdict.REJECT, digest=refund.digest)
    expect(page.locator(row(page, refund))).to_have_count(0, timeout=SOON)
    expect(page.locator("#tab-mine .cs-count")).to_have_text("12")
    expect(page.locator("#queue-badge")).to_have_text("12")
    expect(box).to_be_focused()
    expect(box).to_have_value("customer N")
    expect(tick).to_be_checked()
    if before:
        assert abs(top(page, last) - place) < 2

    # Alice looks at one, says so, and a new one comes in.
    services.claim(picked, alice)
    mark = page.locator(row(page, picked)).get_by_text("alice is looking at it")
    expect(mark).to_be_visible()
    expect(tick).to_be_checked()
    new = make_request(agent, 99, customer_id="N-99")
    expect(page.locator(row(page, new))).to_have_count(1)
    expect(box).to_be_focused()

    assert page.evaluate(WIDTH) <= 0
    assert not (found := serious(page)), "\n".join(found)
    keep(page, "inbox")


def test_two_who_look_at_one_request_know_of_each_other(
    refund: ApprovalRequest, alice: User, bob: User, console: Console
) -> None:
    queue, page = console(alice), console(bob)
    queue.goto(QUEUE)
    expect(queue.get_by_text("looking at it")).to_have_count(0)

    page.goto(page_of(refund))
    expect(queue.get_by_text("bob is looking at it")).to_be_visible()

    queue.goto(page_of(refund))
    expect(queue.get_by_text("bob is looking at it")).to_be_visible()
    expect(queue.get_by_text("alice is looking at it")).to_have_count(0)

    # Whoever leaves says so at once.
    queue.goto(QUEUE)
    expect(queue.get_by_text("bob is looking at it")).to_be_visible()
    page.close()
    expect(queue.get_by_text("looking at it")).to_have_count(0)


def test_it_says_when_it_is_not_up_to_date(
    refund: ApprovalRequest, alice: User, browser: Browser, live_server: LiveServer
) -> None:
    context = browser.new_context(base_url=live_server.url)
    context.add_cookies([_session_of(alice, live_server.url)])
    page = context.new_page()
    page.goto(QUEUE)
    line = page.locator("#queue-line")

    context.set_offline(True)
    expect(line).to_have_text(re.compile("Connection lost"), timeout=5_000)
    context.set_offline(False)
    expect(line).to_be_empty(timeout=5_000)

    Session.objects.all().delete()
    expect(line).to_have_text(re.compile("you have been logged out"), timeout=5_000)
    expect(page.locator(row(page, refund))).to_be_visible()
    line.get_by_role("link").click()
    expect(page).to_have_url(re.compile("/admin/login/.*next="))
    context.close()
