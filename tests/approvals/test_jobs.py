"""The sweep: what silence has decided becomes visible, whatever stands in its way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from approvals import services
from approvals.jobs import settle_due
from governance import clock
from governance.models import Action, Event
from tests.cast import AgentClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]


def statuses() -> list[str]:
    return sorted(Action.objects.values_list("status", flat=True))


def test_it_leaves_alone_what_has_time(api: AgentClient) -> None:
    api.submit(75)
    assert settle_due() == 0


def test_it_expires_what_nobody_decided(api: AgentClient) -> None:
    api.submit(500)
    with clock.shifted(timedelta(hours=9)):
        assert settle_due() == 1
        assert settle_due() == 0

    assert statuses() == ["expired"]


def test_it_expires_permissions_that_nobody_used(api: AgentClient) -> None:
    api.submit(10)
    with clock.shifted(timedelta(hours=2)):
        assert settle_due() == 1

    assert statuses() == ["expired"]


def test_a_bad_row_keeps_no_other_open(
    api: AgentClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {UUID(api.submit(500)["id"]) for _ in range(3)}
    api.submit(500)
    settle = services.settle

    def settle_some(pk: UUID) -> Any:
        if pk in bad:
            raise ValueError("This row is bad.")
        return settle(pk)

    monkeypatch.setattr(services, "settle", settle_some)
    with clock.shifted(timedelta(hours=9)):
        # Though there are more bad rows than one run may take.
        settled = [settle_due(limit=2) for _ in range(50)]

    assert sum(settled) == 1
    assert statuses() == ["expired", "pending", "pending", "pending"]
    assert len(caplog.records) == len(bad)


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_settle_everything_once(api: AgentClient) -> None:
    for _ in range(5):
        api.submit(500)

    def sweep(_: int) -> int:
        try:
            return settle_due()
        finally:
            connection.close()

    with clock.shifted(timedelta(hours=9)), ThreadPoolExecutor() as pool:
        list(pool.map(sweep, range(2)))

    assert statuses() == ["expired"] * 5
    assert Event.objects.filter(kind="expired").count() == 5
