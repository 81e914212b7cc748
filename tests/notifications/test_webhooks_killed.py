"""A worker killed with -9 in the middle of a webhook: nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as deployed

from governance import clock
from governance.models import Agent
from notifications.models import WebhookAttempt, WebhookMessage
from notifications.webhooks import keeping, messages
from notifications.webhooks.jobs import send_webhooks
from tests.notifications.receivers import Receiver, answering
from tests.notifications.test_killed import database_url
from tests.pages import root
from tests.processes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

KILLS = 3
MESSAGES = 12


class Trap:
    """A receiver that springs at some messages: their sender is killed over them."""

    def __init__(self, receiver: Receiver) -> None:
        self.sprung, self.armed = threading.Event(), True
        self.receiver = receiver
        receiver.manner = self.answer

    def answer(self, line: Any, received: Any) -> None:
        if self.armed and len(self.receiver.received) % 3 == 2:
            # Received and kept, and not yet acknowledged.
            self.sprung.set()
            line.settimeout(30)
            line.recv(1)
            return
        answering()(line, received)


@pytest.fixture
def trap(agent: Agent, receiver: Receiver) -> Iterator[Trap]:
    webhook, _ = keeping.set_up(agent, receiver.url, author=root())
    at = clock.now()
    for _ in range(MESSAGES):
        messages.trial(webhook, at).save()
    trap = Trap(receiver)
    yield trap
    trap.armed = False


def kill_a_worker_at(trap: Trap, log: Path) -> None:
    """Have another process send what is due, and kill it over a message."""
    trap.sprung.clear()
    env = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "EMAIL_URL": "dummymail://",
        "WEBHOOK_NETWORKS": "127.0.0.0/8",
        "WEBHOOK_PORTS": ",".join(map(str, deployed.WEBHOOK_PORTS)),
        "WEBHOOK_PLAIN_HTTP": "1",
    }
    work = "from notifications.webhooks.jobs import send_webhooks; send_webhooks()"
    command = [sys.executable, "manage.py", "shell", "-c", work]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=output, stderr=output
        ) as process,
    ):
        try:
            assert trap.sprung.wait(60), log.read_text()
        finally:
            process.kill()


def test_killed_over_messages_none_is_lost_and_few_come_twice(
    trap: Trap, receiver: Receiver, tmp_path: Path
) -> None:
    for number in range(KILLS):
        with clock.shifted(timedelta(minutes=number)):
            kill_a_worker_at(trap, tmp_path / "log")
    trap.armed = False
    for minutes in (0, 1, 2):
        with clock.shifted(timedelta(minutes=minutes)):
            send_webhooks()

    rows = WebhookMessage.objects.all()
    assert set(rows.values_list("state", flat=True)) == {"sent"}
    keys = [each.id for each in receiver.received]
    assert set(keys) == set(rows.values_list("key", flat=True))
    assert len(keys) - len(set(keys)) <= KILLS
    bodies = {(each.id, each.body) for each in receiver.received}
    assert len(bodies) == MESSAGES


def test_the_attempt_that_died_is_on_record(
    trap: Trap, receiver: Receiver, tmp_path: Path
) -> None:
    kill_a_worker_at(trap, tmp_path / "log")

    message = WebhookAttempt.objects.get(seconds=None).message
    assert message.state == "waiting"
    assert clock.now() < message.next_attempt_at < clock.now() + timedelta(minutes=1)
