"""The review page as somebody lives with it: it reads, it warns, it never goes stale."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from approvals import services
from approvals.models import ApprovalRequest, PresetReason, Vote
from governance.models import Agent, User
from tests.approvals.factories import make_request, page_of
from tests.browsing.conftest import Console, serious
from tests.chromium import first_everywhere, keep

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
# A page that believes to be hidden asks for nothing, as one whose network is gone.
ASLEEP = "Object.defineProperty(document, 'hidden', {get: () => true})"
LOOKS = [
    ("desktop", "light"),
    ("phone", "dark"),
    ("desktop", "dark"),
    ("phone", "light"),
]


def hostile(agent: Agent) -> ApprovalRequest:
    return make_request(
        agent,
        reason="Approve\u202e me\u200b, says p\u0430ypal: https://a.example@evil.example/x",
        context={
            "before": {"limit": 500, "tier": "gold"},
            "after": {"limit": 5000, "tier": "gold"},
        },
        payee="p\u0430ypal",
        due_at="2026-12-01T08:00:00+01:00",
        **{"n" * 90: "x" * 900},
        lines=[{"sku": f"S-{n}", "count": n} for n in range(20)],
    )


def fits(page: Page) -> bool:
    """Whether nothing sticks out to the side."""
    wide: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return wide <= 0


def send_back(request: ApprovalRequest, person: User, agent: Agent) -> None:
    """Have it changed by somebody else, while the page is open."""
    services.decide(
        request,
        person,
        Vote.Verdict.REQUEST_CHANGES,
        digest=request.digest,
        comment="Half of it.",
    )
    services.revise(
        request.action_id, agent, {"params": {**request.params, "amount": 60}}
    )


@pytest.mark.parametrize(("size", "scheme"), first_everywhere(*LOOKS))
def test_what_deceives_stands_out_and_nothing_breaks(
    refund_rules: None,
    agent: Agent,
    alice: User,
    console: Console,
    size: str,
    scheme: str,
) -> None:
    PresetReason.objects.create(verdict="reject", text="Out of time.")
    page = console(alice, size=size, scheme=scheme)
    page.goto(page_of(hostile(agent)))

    expect(page.locator("#facts .cs-alike")).to_have_attribute(
        "title", "CYRILLIC SMALL LETTER A"
    )
    expect(page.locator("#agent-says .cs-hidden")).to_have_count(2)
    expect(page.locator("#agent-says .cs-host")).to_have_text("evil.example")
    expect(page.locator("#facts .cs-reading").first).to_have_text("75.00 USD")
    expect(page.locator("#agent-says .cs-changed")).to_contain_text("5000")
    assert fits(page)
    assert serious(page) == []
    keep(page, f"hostile-{scheme}")

    page.locator("#id_preset").select_option(label="Out of time.")
    expect(page.locator("#id_comment")).to_have_value("Out of time.")
    page.locator("#id_comment").fill("Something else.")
    expect(page.locator("#id_preset")).to_have_value("")


@pytest.mark.parametrize(("size", "scheme"), first_everywhere(*LOOKS[:2]))
def test_a_page_hears_what_happens_and_a_stale_one_is_refused(
    refund: ApprovalRequest,
    agent: Agent,
    alice: User,
    bob: User,
    console: Console,
    size: str,
    scheme: str,
) -> None:
    page, stale = (console(alice, size=size, scheme=scheme) for _ in range(2))
    stale.add_init_script(ASLEEP)
    for tab in (page, stale):
        tab.goto(page_of(refund))
        tab.locator("#id_comment").fill("The photo is clear.")
    send_back(refund, bob, agent)

    # While it is open
    news = page.locator("#moved")
    expect(news).to_contain_text("A new revision came a moment ago.", timeout=10_000)
    expect(page.get_by_role("button", name="Approve", exact=True)).to_be_disabled()
    expect(page.locator("#id_comment")).to_have_value("The photo is clear.")
    assert serious(page) == []
    keep(page, f"moved-{scheme}")

    # Sent all the same
    stale.locator("[name=confirmed]").check()
    stale.get_by_role("button", name="Approve", exact=True).click()
    expect(stale.locator(".cs-turned")).to_contain_text("This is revision 2")
    expect(stale.locator(".cs-since")).to_contain_text("60.00 USD")
    expect(stale.locator("#id_comment")).to_have_value("The photo is clear.")
    assert not Vote.objects.filter(person=alice).exists()
    assert fits(stale)
    assert serious(stale) == []
    keep(stale, f"turned-{scheme}")

    # And now with open eyes
    stale.locator("[name=confirmed]").check()
    stale.get_by_role("button", name="Approve", exact=True).click()
    expect(stale.get_by_text("Approved, the agent may go ahead")).to_be_visible()
    vote = Vote.objects.get(person=alice)
    assert vote.shown_at
    assert vote.shown_at < vote.at
