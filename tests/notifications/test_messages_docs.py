"""What docs/messages.md shows is what is sent about the refund of $75.

``PICTURES=docs/images pytest tests/notifications/test_messages_docs.py`` renews it all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from pytest_django import Settings

from governance.models import User
from notifications.jobs import publish_events, send_due
from notifications.models import Place, Preference, Rule
from tests import chromium
from tests.cast import AgentClient
from tests.notifications import webserver
from tests.notifications.mailserver import MailServer
from tests.notifications.test_email import html_of, text_of
from tests.notifications.test_slack_docs import IMAGES, settled
from tests.notifications.webserver import Answer

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("refund_rules"),
    # Apprise's own words, at import.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise"),
]
SAMPLE = IMAGES / "messages-refund.txt"
PAGE = IMAGES / "mail-refund.html"


def tell(api: AgentClient) -> None:
    api.submit(
        resource={"type": "order", "id": "A-1001"},
        reason="Customer reports a cracked screen; order is inside the return window.",
        context={"order_total": 129, "return_window_ends": "2026-12-01"},
    )
    publish_events()
    send_due()


def test_the_messages_in_the_documents_are_those_that_are_sent(
    api: AgentClient,
    alice: User,
    managers: Group,
    mail_server: MailServer,
    settings: Settings,
) -> None:
    Preference.objects.create(person=alice, sms=True, phone="+4930123456")
    Rule.objects.create(title="everywhere", channels=["email", "sms"])
    Place.objects.create(title="Desk", channel="other", address="desk", group=managers)
    with webserver.running() as server:
        settings.TWILIO_API_URL, settings.TWILIO_ACCOUNT_SID = server.url, "AC1"
        settings.APPRISE_URLS = {"desk": f"json://127.0.0.1:{server.port}"}
        server.answer = lambda call: Answer(201, {"sid": "SM1"})
        tell(api)

    [sms] = [call for call in server.calls if "/Accounts/" in call.path]
    [other] = [call for call in server.calls if call is not sms]
    [mail] = mail_server.mails
    told = json.loads(other.body)
    found = settled(
        f"# E-mail: {mail['Subject']}\n\n{text_of(mail).strip()}\n\n"
        f"# SMS\n\n{sms.form['Body']}\n\n"
        f"# A service, by Apprise: {told['title']}\n\n{told['message']}\n"
    )
    page = settled(html_of(mail)).replace("\r\n", "\n")
    if directory := os.environ.get("PICTURES"):
        Path(directory, SAMPLE.name).write_text(found)
        Path(directory, PAGE.name).write_text(page)
    assert found == SAMPLE.read_text()
    assert page == PAGE.read_text()


@pytest.mark.slow
@pytest.mark.looks
def test_the_picture_of_the_mail_can_be_taken() -> None:
    with chromium.launched() as browser:
        page = browser.new_page(viewport={"width": 680, "height": 400})
        page.set_content(PAGE.read_text())
        assert page.get_by_role("link").count() == 1
        assert "cracked screen" in page.content()
        if directory := os.environ.get("PICTURES"):
            picture = Path(directory, "mail-refund.png")
            page.screenshot(path=picture, full_page=True)
