"""The story as the manager sees it, in a real Chromium.

``SCREENSHOTS=directory`` keeps pictures of the pages on the way.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import SIZES, keep, launched, watch
from tests.story.conftest import Installation
from tests.story.test_refunds import ask, digest, kinds

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as chromium:
        yield chromium


@pytest.fixture(params=list(SIZES))
def page(
    request: pytest.FixtureRequest, browser: Browser, installation: Installation
) -> Iterator[Page]:
    """A page of the console that fails its test when a script or a file does."""
    width, height = SIZES[request.param]
    context = browser.new_context(
        base_url=installation.url, viewport={"width": width, "height": height}
    )
    page = context.new_page()
    wrong = watch(page, installation.url)
    yield page
    context.close()
    assert not wrong


def log_in(page: Page, name: str) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Log in").click()


def open_request(page: Page, customer: str) -> None:
    page.goto("/admin/approvals/approvalrequest/")
    page.get_by_role("link", name=customer).click()
    expect(page.get_by_role("heading", name="What will run")).to_be_visible()


def test_the_manager_reads_it_approves_it_and_the_agent_goes_on(
    installation: Installation, page: Page
) -> None:
    with installation.api as api:
        asked = ask(
            api,
            75,
            resource={"type": "order", "id": "A-1001"},
            reason="The customer reports a cracked screen; the photo shows it.",
            context={"order_total": 129, "return_window_ends": "2026-12-01"},
        )
        customer = asked["params"]["customer_id"]
        log_in(page, "mara")
        page.goto("/admin/approvals/approvalrequest/")
        keep(page, "queue")
        page.get_by_role("link", name=customer).click()

        facts = page.locator(".cs-facts").first
        for text in ("75", "USD", customer, "A-1001"):
            expect(facts.get_by_text(text, exact=True).first).to_be_visible()
        expect(
            page.get_by_text("Refunds from $50 to $200 need a manager.")
        ).to_be_visible()
        expect(page.get_by_text("cracked screen")).to_be_visible()
        keep(page, "review")

        page.get_by_label("Comment").fill("The photo shows it. Go ahead.")
        page.get_by_label("I have read what will run.").check()
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_text("approved").first).to_be_visible()

        answer = api.get(f"/actions/{asked['id']}?wait=5").json()
        assert answer["status"] == "approved"
        assert answer["approval"]["comment"] == "The photo shows it. Go ahead."
        path = f"/actions/{asked['id']}"
        assert api.post(f"{path}/consume", json={"digest": digest(answer)}).is_success
        assert api.post(f"{path}/outcome", json={"status": "succeeded"}).is_success

    told = kinds(installation, asked["id"])
    wanted = [
        "submitted",
        "viewed",
        "voted",
        "approved",
        "consumed",
        "outcome_reported",
    ]
    assert [kind for kind in told if kind in wanted] == wanted


def test_an_irreversible_action_wants_to_be_confirmed(
    installation: Installation, page: Page
) -> None:
    with installation.api as api:
        asked = ask(api, 75)
        log_in(page, "mara")
        open_request(page, asked["params"]["customer_id"])
        page.get_by_role("button", name="Approve").click()

        assert api.get(f"/actions/{asked['id']}").json()["status"] == "pending"


def test_somebody_else_sees_no_buttons(installation: Installation, page: Page) -> None:
    with installation.api as api:
        asked = ask(api, 75)
    log_in(page, "mara")
    open_request(page, asked["params"]["customer_id"])
    address = page.url
    page.context.clear_cookies()

    log_in(page, "cora")
    answer = page.request.get(address)
    assert "Approve</button>" not in answer.text()
    assert answer.status in (200, 403, 404)


def test_a_phone_shows_everything_without_scrolling_sideways(
    installation: Installation, page: Page
) -> None:
    with installation.api as api:
        asked = ask(api, 75, reason="A long word: " + "x" * 300)
    log_in(page, "mara")
    open_request(page, asked["params"]["customer_id"])

    too_wide = "document.documentElement.scrollWidth > innerWidth"
    assert page.evaluate(too_wide) is False
