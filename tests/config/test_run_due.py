"""``run_due``: everything the clock owes, once, and how much it was."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.management import call_command
from pytest_django import Settings

from governance import clock
from governance.models import User
from tests.cast import AgentClient

pytestmark = pytest.mark.django_db


def run_due() -> list[str]:
    out = StringIO()
    call_command("run_due", stdout=out)
    return out.getvalue().splitlines()


def test_one_call_does_what_follows_from_what(
    api: AgentClient, refund_rules: None, alice: User
) -> None:
    api.submit(75)
    with clock.shifted(timedelta(minutes=16)):
        said = run_due()

    assert said[:3] == [
        "approvals.jobs.settle_due: 1",
        "notifications.jobs.publish_events: 2",
        "notifications.jobs.send_due: 2",
    ]
    assert len(mail.outbox) == 2


def test_the_second_call_has_nothing_left_to_do(
    api: AgentClient, refund_rules: None, alice: User
) -> None:
    api.submit(75)
    run_due()

    assert all(line.endswith(": 0") for line in run_due())


def test_a_job_that_fails_holds_up_no_other(
    api: AgentClient,
    refund_rules: None,
    alice: User,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings.JOBS = {"nowhere.to_be_found": 1, **settings.JOBS}
    api.submit(75)
    with pytest.raises(SystemExit) as end:
        call_command("run_due")

    assert end.value.code == 1
    assert len(mail.outbox) == 1
    assert "nowhere.to_be_found failed" in capsys.readouterr().err


def test_work_that_never_ends_is_left_for_the_next_call(settings: Settings) -> None:
    settings.JOBS = {"tests.config.test_run_due.endless": 1}
    assert run_due() == ["tests.config.test_run_due.endless: 20"]


def endless() -> int:
    return 1
