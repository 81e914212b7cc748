from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from pytest_django import Settings

from tests.notifications import mailserver, receivers, slackserver
from tests.notifications.mailserver import MailServer
from tests.notifications.receivers import Receiver
from tests.notifications.slackserver import SlackServer


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


@pytest.fixture
def slack(settings: Settings) -> Iterator[SlackServer]:
    """A server that speaks Slack's Web API, and Slack set up to be there."""
    with slackserver.running() as server:
        settings.SLACK_BOT_TOKEN = server.token
        settings.SLACK_SIGNING_SECRET = server.secret
        settings.SLACK_API_URL = f"{server.url}/api/"
        cache.clear()
        yield server
        cache.clear()
