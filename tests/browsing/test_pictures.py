"""The pictures of the documents, taken from the console as it is.

``PICTURES=docs/images pytest tests/browsing/test_pictures.py`` takes them anew.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from playwright.sync_api import Page

from approvals import services
from approvals.models import Vote
from governance import clock, roles
from governance.models import Agent, User
from tests.approvals.factories import QUEUE, make_request, page_of
from tests.browsing.conftest import Console
from tests.cast import make_user

DIRECTORY = os.environ.get("PICTURES", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not DIRECTORY, reason="taken when PICTURES says where to"),
]
ASKED: list[dict[str, Any]] = [
    {"amount": 75, "reason": "Cracked screen; the photo shows it. Within 14 days."},
    {"amount": 180, "reason": "Parcel lost, says the carrier."},
    {"amount": 60, "reason": "Wrong colour, sent back unopened."},
    {"amount": 120, "reason": "Arrived two weeks late."},
]

SAID = "The carrier says so, too."


@pytest.fixture
def mara(managers: Group, finance: Group) -> User:
    make_user("finn", finance, first_name="Finn", last_name="Finance")
    make_user("max", managers, first_name="Max", last_name="Muster")
    return make_user("mara", managers, first_name="Mara", last_name="Manager")


def test_the_pictures_are_taken(
    mara: User, refund_rules: None, agent: Agent, console: Console
) -> None:
    roles.make()
    first = _story(agent, mara)
    page = console(mara)
    page.set_viewport_size({"width": 1280, "height": 800})
    for name, url in {
        "guide-queue": QUEUE,
        "guide-review": page_of(first),
        "guide-stand-ins": "/admin/approvals/delegation/",
    }.items():
        page.goto(url)
        page.wait_for_load_state("networkidle")
        _take(page, name)
    phone = console(mara, size="phone", scheme="dark")
    for name, url in {"queue": QUEUE, "review": page_of(first)}.items():
        phone.goto(url)
        phone.wait_for_load_state("networkidle")
        _take(phone, f"guide-phone-{name}")


def _story(agent: Agent, mara: User) -> Any:
    """Leave something to decide, something decided, and a stand-in."""
    requests = [
        make_request(
            agent,
            asked["amount"],
            reason=asked["reason"],
            context={"order_total": asked["amount"] + 54, "photo": "yes"},
            order_id=f"A-10{number:02}",
            customer_id=f"C-{number + 7}",
        )
        for number, asked in enumerate(ASKED)
    ]
    last = requests[-1]
    services.decide(last, mara, Vote.Verdict.APPROVE, digest=last.digest, comment=SAID)
    services.delegate(
        mara,
        User.objects.get(username="max"),
        starts_at=clock.now() + timedelta(days=3),
        ends_at=clock.now() + timedelta(days=10),
        reason="Holidays.",
        author=mara,
    )
    return requests[0]


def _take(page: Page, name: str) -> None:
    file = Path(DIRECTORY, f"{name}.png")
    page.screenshot(path=file)
    assert file.stat().st_size < 150_000, file
