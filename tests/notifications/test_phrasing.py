"""Administrators choose the first words of a message; what a decision needs follows."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from pytest_django import Settings

from governance.ledger import Kind
from governance.models import Event, User
from notifications.jobs import publish_events, send_due
from notifications.models import Phrase, Preference, Rule
from notifications.phrasing.filling import phrase_for, unknown
from notifications.topics import Topic
from tests.cast import AgentClient, make_user
from tests.notifications import webserver
from tests.notifications.mailserver import MailServer
from tests.notifications.test_email import html_of, text_of
from tests.notifications.webserver import Answer
from tests.pages import browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules", "alice")]

WORDS = {
    "topic": "asked",
    "channel": "",
    "pattern": "refund.*",
    "title": "{params.amount} {params.currency} for {agent}",
    "opening": "Please look at {summary} before {deadline}.",
}


def told(api: AgentClient, **fields: Any) -> None:
    api.submit(**fields)
    publish_events()
    send_due()


def test_a_mail_begins_as_it_was_worded_and_says_all_else(
    api: AgentClient, mail_server: MailServer
) -> None:
    Phrase.objects.create(**WORDS)
    told(api)

    [mail] = mail_server.mails
    assert mail["Subject"] == "75 USD for refund-bot"
    assert "Please look at Refund 75 USD to customer C-7" in text_of(mail)
    assert "An agent waits for an answer" not in text_of(mail)
    assert '"customer_id": "C-7"' in text_of(mail)
    assert "Please look at" in html_of(mail)


def test_what_an_agent_wrote_is_inert_in_it(
    api: AgentClient, mail_server: MailServer
) -> None:
    Phrase.objects.create(**{**WORDS, "opening": "{params.order_id}"})
    evil = "<b>x</b>\u202ehttps://evil.example {agent} {params.amount}"
    told(api, params={"order_id": evil})

    [mail] = mail_server.mails
    assert "<b>x</b>" not in html_of(mail)
    assert "https://evil.example" not in text_of(mail)
    assert "\u202e" not in text_of(mail)
    # What was filled in is not filled in again.
    assert "{agent} {params[.]amount}" in text_of(mail)


def test_a_text_says_what_it_was_told_to(
    api: AgentClient, alice: User, settings: Settings
) -> None:
    Rule.objects.create(title="texts", channels=["sms"])
    Preference.objects.create(person=alice, sms=True, phone="+4930123456")
    Phrase.objects.create(**{**WORDS, "channel": "sms", "opening": "Money: {action}"})
    with webserver.running() as server:
        settings.TWILIO_API_URL, settings.TWILIO_ACCOUNT_SID = server.url, "AC1"
        server.answer = lambda call: Answer(201, {"sid": "SM1"})
        told(api)

    assert server.calls[0].form["Body"].startswith("Money: refund[.]create. http")


def test_the_one_that_fits_best_is_taken() -> None:
    def add(channel: str, pattern: str) -> Phrase:
        return Phrase.objects.create(
            topic="asked", channel=channel, pattern=pattern, title="x"
        )

    everything, refunds = add("", "*"), add("", "refund.*")
    exact, mails = add("", "refund.create"), add("email", "*")

    def found(channel: str, action: str) -> Phrase | None:
        return phrase_for(Topic.ASKED, channel, action)

    assert found("slack", "mail.send") == everything
    assert found("slack", "refund.cancel") == refunds
    assert found("slack", "refund.create") == exact
    assert found("email", "refund.create") == mails
    assert phrase_for(Topic.LATE, "email", "refund.create") is None


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{summary} {params.a.b-c} { agent }", []),
        ("{password}", ["{password}"]),
        ("{agent.__class__}", []),
        ("{params[0]}", ["{params[0]}"]),
        ("{0}", ["{0}"]),
        ("{agent", ["{"]),
        ("{{agent}}", ["{", "}"]),
        ("{%x%}", ["{%x%}"]),
    ],
)
def test_only_known_names_stand_in_braces(text: str, wrong: list[str]) -> None:
    assert list(unknown(text)) == wrong


def test_nothing_behind_a_name_is_reachable(
    api: AgentClient, mail_server: MailServer
) -> None:
    Phrase.objects.create(**{**WORDS, "opening": "{agent.__class__} {params.x.y}"})
    told(api)

    text = text_of(mail_server.mails[0])
    assert "class" not in text.split("\n\n")[2]


# The page


def post(name: str, **fields: str) -> Any:
    root = User.objects.filter(username="root").first() or make_user(
        "root", is_superuser=True
    )
    return browser(root).post(reverse(f"admin:{name}"), {**WORDS, **fields})


def test_a_wording_is_kept_on_record() -> None:
    post("notifications_phrase_add")

    assert Phrase.objects.get().title == WORDS["title"]
    [event] = Event.objects.filter(kind=Kind.ROUTING_CHANGED)
    assert event.data["changes"]["title"]["new"] == WORDS["title"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": "{secret}"},
        {"opening": "{params"},
        {"pattern": "re*fund"},
        {"topic": "stopped"},
        {"title": "", "opening": ""},
        {"title": "a\u202eb"},
    ],
)
def test_a_wording_that_makes_no_sense_is_not_kept(wrong: dict[str, str]) -> None:
    assert post("notifications_phrase_add", **wrong).status_code == 200
    assert not Phrase.objects.exists()


def test_a_preview_shows_it_on_a_real_request_and_keeps_nothing(
    api: AgentClient, mail_server: MailServer
) -> None:
    told(api)
    make_user("root", is_superuser=True)
    events = Event.objects.exclude(kind=Kind.LOGGED_IN).count()
    answer = post("notifications_phrase_preview").content.decode()

    assert "75 USD for refund-bot" in answer
    assert "srcdoc=" in answer
    assert "Please look at Refund 75 USD" in answer
    assert not Phrase.objects.exists()
    assert Event.objects.exclude(kind=Kind.LOGGED_IN).count() == events


@pytest.mark.parametrize(
    "topic", [value for value, _ in Topic.choices if value != "asked"]
)
def test_every_topic_that_can_be_worded_can_be_looked_at(
    api: AgentClient, topic: str
) -> None:
    api.submit()
    answer = post("notifications_phrase_preview", topic=topic)

    assert answer.status_code == 200


def test_a_preview_says_what_is_wrong() -> None:
    answer = post("notifications_phrase_preview", title="{secret}").content.decode()

    assert "Nothing is called {secret}." in answer


def test_a_preview_of_a_text_is_a_text(api: AgentClient) -> None:
    api.submit()
    answer = post("notifications_phrase_preview", channel="sms").content.decode()

    assert "srcdoc" not in answer
    assert "Please look at Refund 75 USD" in answer


def test_without_requests_there_is_nothing_to_look_at() -> None:
    answer = post("notifications_phrase_preview").content.decode()

    assert "No request yet" in answer


def test_what_is_there_already_can_be_looked_at(api: AgentClient) -> None:
    api.submit()
    post("notifications_phrase_add")
    answer = post("notifications_phrase_preview", title="Anew").content.decode()

    assert "Anew" in answer
    assert "already exists" not in answer
    # Once is enough to be kept.
    assert "already exists" in post("notifications_phrase_add").content.decode()
    assert Phrase.objects.get().title == WORDS["title"]
