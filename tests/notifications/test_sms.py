"""Texts: short, without what the agent wrote, and sent as Twilio wants them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pytest_django import Settings

from governance import clock
from governance.models import User
from notifications.jobs import publish_events, send_due
from notifications.models import Delivery, Preference, Rule
from tests.cast import AgentClient
from tests.notifications import webserver
from tests.notifications.webserver import Answer, WebServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]

State = Delivery.State


@pytest.fixture
def twilio(settings: Settings) -> Iterator[WebServer]:
    with webserver.running() as server:
        settings.TWILIO_API_URL = server.url
        settings.TWILIO_ACCOUNT_SID = "AC1"
        settings.TWILIO_AUTH_TOKEN = "token"
        settings.TWILIO_FROM = "+15550001111"
        server.answer = lambda call: Answer(201, {"sid": "SM1"})
        yield server


@pytest.fixture(autouse=True)
def by_text(alice: User) -> None:
    Rule.objects.create(title="texts", channels=["sms"])
    Preference.objects.create(person=alice, sms=True, phone="+4930123456")


def text() -> Delivery:
    return Delivery.objects.get(channel="sms")


def told(api: AgentClient) -> None:
    api.submit()
    publish_events()
    send_due()


def test_it_is_sent_as_twilio_wants_it(api: AgentClient, twilio: WebServer) -> None:
    told(api)

    [call] = twilio.calls
    assert call.path == "/2010-04-01/Accounts/AC1/Messages.json"
    kind, secret = call.headers["Authorization"].split()
    assert (kind, b64decode(secret)) == ("Basic", b"AC1:token")
    assert call.form["To"] == "+4930123456"
    assert call.form["From"] == "+15550001111"
    assert (text().state, text().reference) == (State.SENT, "SM1")


def test_it_is_short_and_tells_nothing_the_agent_wrote(
    api: AgentClient, twilio: WebServer
) -> None:
    told(api)

    body = twilio.calls[0].form["Body"]
    assert body.startswith(
        "Approval needed: refund.create, by refund-bot (production), risk "
    )
    assert "/admin/approvals/approvalrequest/" in body
    assert "Decide by" in body
    assert "C-7" not in body
    assert "USD" not in body
    assert len(body) < 480


def test_the_summary_is_told_if_the_administrator_allows_it(
    api: AgentClient, twilio: WebServer, settings: Settings
) -> None:
    settings.SMS_SUMMARIES = True
    told(api)

    assert "Refund 75 USD to customer C-7" in twilio.calls[0].form["Body"]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (400, State.FAILED),
        (401, State.WAITING),
        (429, State.WAITING),
        (503, State.WAITING),
    ],
)
def test_a_number_that_is_none_fails_and_all_else_is_tried_again(
    api: AgentClient, twilio: WebServer, status: int, state: str
) -> None:
    twilio.answer = lambda call: Answer(status, {"message": "No \u202esuch number"})
    told(api)

    assert text().state == state
    assert text().error.startswith(f"Twilio said: {status} No ")
    assert "\u202e" not in text().error


def test_it_waits_as_long_as_it_is_asked_to(
    api: AgentClient, twilio: WebServer
) -> None:
    twilio.answer = lambda call: Answer(429, headers={"Retry-After": "1800"})
    told(api)

    assert text().next_attempt_at > clock.now() + timedelta(minutes=29)


def test_nonsense_is_no_success_and_no_crash(
    api: AgentClient, twilio: WebServer
) -> None:
    twilio.answer = lambda call: Answer(500, b"<html>oh</html>")
    told(api)

    assert text().state == State.WAITING


def test_without_an_account_nobody_is_sent_a_text(
    api: AgentClient, settings: Settings
) -> None:
    told(api)

    assert not Delivery.objects.filter(channel="sms").exists()


def test_a_number_that_was_taken_back_is_not_used(
    api: AgentClient, twilio: WebServer
) -> None:
    api.submit()
    publish_events()
    Preference.objects.update(phone="")
    send_due()

    assert twilio.calls == []
    assert text().state == State.FAILED
