"""Writing a condition in a real browser: checked, completed and tried, by keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from approvals.models import ApprovalRequest
from policies.models import Policy
from tests.browsing.conftest import Console, serious
from tests.chromium import first_everywhere, keep
from tests.pages import root

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def page_of(name: str) -> str:
    return f"/admin/policies/policy/{Policy.objects.get(name=name).pk}/change/"


def test_a_condition_is_written_by_keyboard(
    refund: ApprovalRequest, console: Console
) -> None:
    page = console(root())
    page.goto(page_of("refunds-50-to-200"))
    condition, verdict = page.locator("#id_when"), page.locator("#id_when_verdict")
    expect(verdict).to_contain_text("It compiles. It reads params.amount")
    expect(page.get_by_role("button", name="params.customer_id")).to_be_visible()

    condition.fill("")
    condition.press_sequentially("params.am")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("params.amount")
    condition.press("ArrowDown")
    active = condition.get_attribute("aria-activedescendant")
    assert active == options.first.get_attribute("id")
    assert serious(page) == []
    keep(page, "condition-completing")
    condition.press("Enter")
    expect(condition).to_have_value("params.amount")
    expect(page.get_by_role("listbox")).to_be_hidden()

    condition.press_sequentially(" > history.customer_refunds.total")
    condition.press("Escape")
    expect(verdict).to_contain_text("There is no 'history.customer_refunds.total'")
    expect(verdict).to_contain_text("Line 1, column 41.")
    expect(condition).to_have_attribute("aria-invalid", "true")
    assert serious(page) == []
    keep(page, "condition-mistaken")

    condition.fill("")
    page.get_by_role("button", name="params.currency").click()
    condition.press_sequentially(' == "EUR"')
    expect(verdict).to_contain_text("It compiles. It reads params.currency")

    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Try it").click()
    expect(opened.value.locator("#id_when")).to_have_value('params.currency == "EUR"')
    expect(opened.value.locator("#verdict")).to_be_visible()


@pytest.mark.parametrize("scheme", first_everywhere("light", "dark"))
def test_rules_can_be_written_on_a_phone(
    refund: ApprovalRequest, console: Console, scheme: str
) -> None:
    page = console(root(), size="phone", scheme=scheme)
    rule = Policy.objects.get(name="refunds-50-to-200").pk
    for name, url in {
        "condition": page_of("refunds-50-to-200"),
        "factor": "/admin/policies/riskfactor/add/",
        "try": f"/admin/policies/backtest/?_subject=policy&_rule={rule}",
    }.items():
        page.goto(url)
        expect(page.locator("#id_when_verdict p")).to_be_visible()
        expect(page.locator(".cx-box").first).to_be_visible()
        keep(page, f"{name}-{scheme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert serious(page) == []


def test_letting_everything_through_is_asked_twice(
    refund: ApprovalRequest, console: Console
) -> None:
    page = console(root())
    page.goto("/admin/policies/policy/add/")
    meant = page.get_by_label("Let it all through")
    expect(page.locator("#id_mode")).to_have_value("draft")
    expect(page.locator("#id_decision")).to_have_value("")
    page.locator("#id_name").fill("reads")
    page.locator("#id_actions").fill("order.read")
    page.locator("#id_decision").select_option("ALLOW")
    expect(meant).to_be_hidden()

    page.locator("#id_mode").select_option("enforce")
    expect(meant).to_be_visible()
    page.locator("#id_when").fill("risk < 10")
    expect(meant).to_be_hidden()
    page.locator("#id_when").fill("")

    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("every order.read go ahead, always")).to_be_visible()
    assert serious(page) == []
    keep(page, "policy-wide")
    meant.check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    assert Policy.objects.get(name="reads").mode == "enforce"
