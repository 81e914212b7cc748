"""The console by keyboard alone: from the queue through two decisions and back."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Locator, Page, expect

from approvals.models import ApprovalRequest, Vote
from governance.models import Agent, User
from tests.approvals.batches import install_rules, tagging
from tests.approvals.factories import QUEUE, make_request, page_of
from tests.browsing.conftest import Console, serious
from tests.chromium import first_everywhere, keep

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def press(page: Page, *keys: str) -> None:
    """Press keys as soon as the page listens to all of them."""
    expect(page.locator("html[data-keys=ready]")).to_be_attached()
    for key in keys:
        page.keyboard.press(key)


def row(page: Page, request: ApprovalRequest) -> Locator:
    return page.locator(f"[data-pk='{request.pk}']")


def shows(page: Page, request: ApprovalRequest) -> None:
    expect(page).to_have_url(re.compile(f"{page_of(request)}$"))


def test_two_requests_are_decided_without_a_mouse(
    managers: Group, agent: Agent, alice: User, console: Console
) -> None:
    install_rules()
    first, second, third = (tagging(agent, number) for number in (1, 2, 3))
    page = console(alice)
    page.goto(QUEUE)

    # Through the list: down, down, up; past its ends it goes nowhere
    press(page, "j", "ArrowDown", "k", "k", "k")
    expect(row(page, first).get_by_role("link")).to_be_focused()
    press(page, "j", "j", "j", "j")
    expect(row(page, third).get_by_role("link")).to_be_focused()
    press(page, "k", "Enter")
    shows(page, second)

    # From one to the next, and a comment on the way
    press(page, "j")
    shows(page, third)
    press(page, "k")
    shows(page, second)
    press(page, "m")
    page.keyboard.type("Looks right, approve arj?")
    expect(page.locator("#id_comment")).to_have_value("Looks right, approve arj?")
    press(page, "Escape")
    expect(page.locator("#id_comment")).not_to_be_focused()
    press(page, "Control+a", "a")

    # What is next comes by itself; it is rejected, and then everything is seen to
    shows(page, first)
    press(page, "r")
    shows(page, third)
    said = Vote.objects.order_by("id").values_list("verdict", "comment")
    assert list(said) == [("approve", "Looks right, approve arj?"), ("reject", "")]
    press(page, "u")
    expect(page).to_have_url(re.compile(f"{QUEUE}$"))


def test_what_cannot_be_undone_is_confirmed_first(
    refund: ApprovalRequest, alice: User, console: Console
) -> None:
    page = console(alice)
    page.goto(page_of(refund))

    press(page, "a")
    confirmed = page.locator("#id_confirmed")
    expect(confirmed).to_be_focused()
    assert not Vote.objects.exists()
    press(page, "Space", "a")
    expect(page.get_by_text("Approved, the agent may go ahead")).to_be_visible()
    assert Vote.objects.get().verdict == "approve"


def test_several_are_picked_and_decided_by_keys(
    managers: Group, agent: Agent, alice: User, console: Console
) -> None:
    install_rules()
    for number in (1, 2, 3):
        tagging(agent, number)
    page = console(alice)
    page.goto(QUEUE)

    press(page, "j", "x", "j", "x", "x", "j", "x", "a")
    expect(page.get_by_role("heading", name="Approve 2 requests?")).to_be_visible()
    press(page, "a")
    expect(page.get_by_text("2 approved.")).to_be_visible()
    assert Vote.objects.count() == 2


@pytest.mark.parametrize("scheme", first_everywhere("light", "dark"))
def test_help_lists_the_keys_and_switches_them_off(
    refund: ApprovalRequest, agent: Agent, alice: User, console: Console, scheme: str
) -> None:
    other = make_request(agent, customer_id="C-8")
    page = console(alice, scheme=scheme)
    page.goto(QUEUE)

    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    keep(page, f"keys-{scheme}")
    assert serious(page) == []
    # While it is open nothing else listens
    press(page, "j", "Escape")
    expect(dialog).to_be_hidden()
    press(page, "j", "j", "o")
    shows(page, other)
    press(page, "g", "i")
    expect(page).to_have_url(re.compile(f"{QUEUE}$"))

    page.get_by_role("button", name="Keyboard").click()
    dialog.get_by_label("Use single keys on this device").uncheck()
    press(page, "Escape")
    page.reload()
    press(page, "j", "?", "/")
    expect(dialog).to_be_hidden()
    expect(page.locator("body")).to_be_focused()
    page.get_by_role("button", name="Keyboard").click()
    dialog.get_by_label("Use single keys on this device").check()
    press(page, "Escape", "/")
    expect(page.locator("[name=q]")).to_be_focused()
    press(page, "Escape", "g", "o")
    expect(page).to_have_url(re.compile("/admin/$"))


def test_a_key_that_was_held_decides_once(
    managers: Group, agent: Agent, alice: User, console: Console
) -> None:
    install_rules()
    first, second = tagging(agent, 1), tagging(agent, 2)
    page = console(alice)
    page.goto(page_of(first))

    press(page, "a")
    shows(page, second)
    # Pressed twice: the next page does not listen to verdicts yet
    page.keyboard.press("a")
    expect(page.locator("html[data-keys=ready]")).to_be_attached()
    page.keyboard.down("Shift")
    page.keyboard.up("Shift")
    shows(page, second)
    assert Vote.objects.count() == 1


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_second_click_decides_nothing_else(
    managers: Group, agent: Agent, alice: User, console: Console, size: str
) -> None:
    install_rules()
    first, second = tagging(agent, 1), tagging(agent, 2)
    page = console(alice, size=size)
    page.goto(page_of(first))
    approve = page.get_by_role("button", name="Approve", exact=True)
    approve.click(trial=True)
    # As on a machine so quick that the hand is still there: a hundredth of the speed
    hurry = page.context.new_cdp_session(page)
    hurry.send("Animation.enable")
    hurry.send("Animation.setPlaybackRate", {"playbackRate": 0.01})
    approve.dispatch_event("click")
    shows(page, second)

    box = approve.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("html[data-keys=ready]")).to_be_attached()
    shows(page, second)
    assert Vote.objects.count() == 1
    hurry.send("Animation.setPlaybackRate", {"playbackRate": 1})
    approve.click()
    expect(page.get_by_text("Approved, the agent may go ahead")).to_be_visible()
    assert Vote.objects.count() == 2
