from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.notifications import mailserver, receivers
from tests.notifications.mailserver import MailServer
from tests.notifications.receivers import Receiver


@pytest.fixture
def mail_server(settings: Settings) -> Iterator[MailServer]:
    """A real mail server, and mail set up to go there."""
    with mailserver.running() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    """A real receiver of webhooks, on this machine, where they may go for once."""
    with receivers.running() as found:
        settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
        settings.WEBHOOK_PORTS = [443, found.port]
        settings.WEBHOOK_PLAIN_HTTP = True
        yield found
