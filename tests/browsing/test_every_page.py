"""Every page of the console, as an administrator sees it: axe finds nothing serious."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Page

from governance.models import Agent, User
from tests.browsing.conftest import Console, serious
from tests.cast import make_user
from tests.chromium import SIZES, keep
from tests.everything import make_everything, pages
from tests.pages import browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.looks,
    pytest.mark.django_db(transaction=True),
]
# Unfold chooses the scheme when a page is loaded, and keeps it as a class.
DARK = "on => document.documentElement.classList.toggle('dark', on)"
# The same page for every model: one of them is enough.
ALIKE = ("_history", "_restore", "_remove", "_delete")
OF_ALL = {"policies_policy_history", "policies_flow_restore", "policies_flow_remove"}
# Parts of a page.
NO_PAGES = {
    "app_list",
    "approvals_approvalrequest_live",
    "approvals_approvalrequest_moved",
    "dashboard-budgets",
    "governance_event_export_progress",
    "jsi18n",
    "notifications_delivery_unread",
    "policies_backtest_progress",
    "search",
}


def visited(person: User, half: int) -> Iterator[tuple[str, str]]:
    """Yield the name and the address of each page that is looked at."""
    client = browser(person)
    for page in pages()[half::2]:
        alike = page.name.endswith(ALIKE) and page.name not in OF_ALL
        if alike or page.name in NO_PAGES or "condition" in page.name:
            continue
        if client.get(page.url()).status_code == 200:
            yield page.name, page.url()


@pytest.mark.parametrize("half", [0, 1])
def test_it_can_be_used_by_everybody(
    refund_rules: None,
    agent: Agent,
    alice: User,
    bob: User,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
    half: int,
) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    make_everything(agent, alice, bob)
    ada = make_user("ada", Group.objects.get(name="Role: administrator"))
    addresses = list(visited(ada, half))
    page = console(ada)
    wrong: dict[str, list[str]] = {}
    for name, url in addresses:
        page.goto(url)
        if found := looked_at(page, name):
            wrong[name] = found

    assert wrong == {}


def looked_at(page: Page, name: str) -> list[str]:
    """Return what is serious, on a desk in the light and on a phone in the dark."""
    found = []
    for size, scheme in (("desktop", "light"), ("phone", "dark")):
        width, height = SIZES[size]
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(DARK, scheme == "dark")
        keep(page, f"{name}-{scheme}")
        found += [f"{size} {scheme} {each}" for each in serious(page)]
    return found
