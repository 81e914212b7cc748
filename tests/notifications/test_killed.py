"""A worker killed with -9 in the middle of a mail: nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from governance import clock
from governance.models import User
from notifications.jobs import publish_events, send_due
from notifications.models import Delivery
from tests.cast import AgentClient
from tests.notifications.mailserver import MailServer
from tests.processes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


class Gate:
    """A place in the mail server where a mail is seen, and held until it is opened."""

    def __init__(self) -> None:
        self.seen, self.opened = threading.Event(), threading.Event()

    def __call__(self, address: str) -> None:
        self.seen.set()
        self.opened.wait(30)


@pytest.fixture
def gate(mail_server: MailServer) -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def database_url() -> str:
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    host = database["OPTIONS"]["host"]
    return f"postgres://{database['USER']}@/{database['NAME']}?host={host}"


def kill_a_worker_at(gate: Gate, server: MailServer, log: Path) -> None:
    """Have another process send what is due, and kill it at the gate."""
    env = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "EMAIL_URL": f"smtp://127.0.0.1:{server.port}",
    }
    command = [sys.executable, "manage.py", "run_due"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=output, stderr=output
        ) as process,
    ):
        try:
            assert gate.seen.wait(30), log.read_text()
        finally:
            process.kill()


def recover() -> None:
    """Let time pass and another worker come by."""
    assert send_due() == 0
    with clock.shifted(timedelta(minutes=2)):
        assert send_due() == 1
    assert Delivery.objects.get(channel="email").state == Delivery.State.SENT


def test_killed_before_the_mail_was_handed_over_it_comes_late(
    api: AgentClient,
    refund_rules: None,
    alice: User,
    mail_server: MailServer,
    gate: Gate,
    tmp_path: Path,
) -> None:
    api.submit()
    publish_events()
    mail_server.at_address = gate

    kill_a_worker_at(gate, mail_server, tmp_path / "log")
    gate.opened.set()
    recover()
    assert len(mail_server.mails) == 1


def test_killed_before_it_was_written_down_it_comes_twice_under_one_id(
    api: AgentClient,
    refund_rules: None,
    alice: User,
    mail_server: MailServer,
    gate: Gate,
    tmp_path: Path,
) -> None:
    api.submit()
    publish_events()
    mail_server.after_mail = gate

    kill_a_worker_at(gate, mail_server, tmp_path / "log")
    gate.opened.set()
    recover()
    first, second = mail_server.mails
    assert first["Message-ID"] == second["Message-ID"]
