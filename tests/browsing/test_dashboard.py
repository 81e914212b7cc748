"""The dashboard in a real browser: charts are drawn, bars lead to rows, everybody can use it."""

from __future__ import annotations

import re
from random import Random

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Page, expect

from governance import clock
from governance.models import User
from tests.approvals.history import make_history
from tests.browsing.conftest import Console, serious
from tests.cast import make_user
from tests.chromium import first_everywhere, keep
from tests.pages import permit

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PAGE = "/admin/dashboard/"


@pytest.fixture
def lead(db: None) -> User:
    make_history(Random(11), 60, clock.now(), days=25)
    person = make_user("lead", *Group.objects.all())
    permit(
        person,
        "approvals.view_all_approvalrequest",
        "approvals.view_vigilance",
        "governance.view_action",
        "policies.view_lookback",
    )
    return person


@pytest.mark.parametrize(
    ("size", "scheme"), first_everywhere(("desktop", "light"), ("phone", "dark"))
)
def test_a_lead_finds_the_rows_behind_a_bar(
    lead: User, console: Console, size: str, scheme: str
) -> None:
    page = console(lead, size=size, scheme=scheme)
    page.goto(PAGE)
    expect(page.get_by_text("No condition in force")).to_be_visible()
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    for summary in page.locator(".db-as-table summary").all():
        summary.press("Enter")
    expect(page.locator(".db-as-table table").first).to_be_visible()
    keep(page, f"dashboard-{scheme}")
    assert serious(page) == []

    _click_a_bar(page)
    expect(page).to_have_url(re.compile(r"settled=|created_at_from="))


def _click_a_bar(page: Page) -> None:
    """Click in the middle of the first bar there is."""
    canvas = page.locator(".db-canvas canvas").first
    place = canvas.evaluate(
        """canvas => {
            const chart = Chart.getChart(canvas);
            for (const [at, set] of chart.data.datasets.entries()) {
                const index = set.data.findIndex((value) => value > 0);
                if (index >= 0) {
                    const bar = chart.getDatasetMeta(at).data[index];
                    return { x: bar.x, y: (bar.y + bar.base) / 2 };
                }
            }
        }"""
    )
    canvas.click(position=place)
