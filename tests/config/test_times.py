"""Times are told in one way: in the console's time zone, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from django.utils import timezone

from approvals import services
from approvals.models import ApprovalRequest, Vote
from governance.models import Event, User
from governance.moments import moment
from tests.approvals.factories import page_of
from tests.pages import browser, root

pytestmark = pytest.mark.django_db
FAR = "Pacific/Kiritimati"
EVENTS = "/admin/governance/event/"


@pytest.fixture(autouse=True)
def far() -> Iterator[None]:
    with override_settings(TIME_ZONE=FAR), timezone.override(ZoneInfo(FAR)):
        yield


def visible(page: str) -> str:
    """Return what can be read of a page: nothing that machines or hovering people see."""
    return re.sub(r"<[^>]*>", " ", page)


def test_a_time_copied_from_the_log_finds_its_row(refund: ApprovalRequest) -> None:
    event = Event.objects.latest("pk")
    client = browser(root())
    page = visible(client.get(EVENTS, {"q": str(refund.action_id)}).content.decode())
    times = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+", page)
    shown, _, zone = times[0].rpartition(" ")

    assert zone == "+14"
    first = moment(shown.replace(" ", "T"))
    assert first
    assert first <= event.at < first + timedelta(seconds=1)
    answer = client.get(EVENTS, {"at_from": shown, "action": str(refund.action_id)})
    assert event in answer.context["cl"].result_list


def test_every_page_tells_a_time_alike(refund: ApprovalRequest, alice: User) -> None:
    services.decide(refund, alice, Vote.Verdict.REJECT, digest=refund.digest)
    made = timezone.localtime(refund.action.created_at)
    whole, short = f"{made:%Y-%m-%d %H:%M:%S} +14", f"{made:%Y-%m-%d %H:%M}"
    action = f"/admin/governance/action/{refund.action_id}/change/"
    whole_on = ["/admin/governance/action/", action, "/admin/policies/revision/"]

    client = browser(root())
    for url in [
        *whole_on,
        page_of(refund),
        "/admin/approvals/approvalrequest/?show=all",
    ]:
        page = visible(client.get(url).content.decode())
        assert (whole if url in whole_on else short)[:16] in page, url
        assert not re.search(r"[ap]\.m\.|(Nov|Dec|Jan)\.? \d+,", page), url
    assert whole in visible(client.get(action).content.decode())
