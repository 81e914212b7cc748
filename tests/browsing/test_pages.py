"""Every page of the console, in either size and either scheme: nothing looks broken."""

from __future__ import annotations

import pytest

from approvals.models import ApprovalRequest
from governance.models import User
from tests.approvals.factories import QUEUE, page_of
from tests.browsing.conftest import Console, serious
from tests.chromium import SIZES, first_everywhere, keep

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("scheme", first_everywhere("light", "dark"))
@pytest.mark.parametrize("size", first_everywhere(*SIZES))
def test_it_can_be_used_by_everybody(
    refund: ApprovalRequest, alice: User, console: Console, size: str, scheme: str
) -> None:
    page = console(alice, size=size, scheme=scheme)
    for name, url in {"queue": QUEUE, "review": page_of(refund)}.items():
        page.goto(url)
        keep(page, f"{name}-{scheme}")
        assert serious(page) == []
