from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.notifications import mailserver
from tests.notifications.mailserver import MailServer


@pytest.fixture
def mail_server(settings: Settings) -> Iterator[MailServer]:
    """A real mail server, and mail set up to go there."""
    with mailserver.running() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server
