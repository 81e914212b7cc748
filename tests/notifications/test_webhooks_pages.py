"""Administrators set up webhooks in the console, and see what was sent there."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from standardwebhooks import Webhook as Verifier

from governance import clock, roles, sealing
from governance.ledger import Kind
from governance.models import Agent, Event, User
from notifications.models import Webhook, WebhookMessage
from notifications.webhooks import keeping, messages
from notifications.webhooks.jobs import send_webhooks
from tests.approvals.factories import browser
from tests.cast import make_user
from tests.notifications.receivers import Receiver, answering
from tests.pages import root

pytestmark = pytest.mark.django_db

LIST = "/admin/notifications/webhook/"
LOG = "/admin/notifications/webhookmessage/"
URL = "https://agent.example.com/hook"
State = WebhookMessage.State


@pytest.fixture
def administrator(db: None) -> User:
    roles.make()
    return make_user("ada", Group.objects.get(name="Role: administrator"))


@pytest.fixture
def console(administrator: User) -> Client:
    return browser(administrator)


@pytest.fixture
def webhook(agent: Agent, administrator: User) -> Webhook:
    return keeping.set_up(agent, URL, author=administrator)[0]


def shown_secret(answer: Any) -> str:
    found = re.search(r'<code id="key"[^>]*>(whsec_[^<]+)</code>', answer.text)
    assert found
    return found[1]


def kept_secret() -> str:
    return sealing.unseal(Webhook.objects.get().secret, "webhook")


def latest() -> Event:
    return Event.objects.latest("id")


def test_one_is_set_up_and_its_secret_shown_once(console: Client, agent: Agent) -> None:
    answer = console.post(f"{LIST}add/", {"agent": agent.pk, "url": URL})

    assert shown_secret(answer) == kept_secret()
    assert "no-store" in answer["Cache-Control"]
    page = reverse(
        "admin:notifications_webhook_change", args=[Webhook.objects.get().pk]
    )
    shown = console.get(page).text
    assert URL in shown
    assert "whsec_" not in shown
    assert kept_secret() not in Webhook.objects.get().secret
    event = latest()
    assert event.kind == Kind.WEBHOOK_CHANGED
    assert event.data["changes"] == {"address": {"old": None, "new": URL}}
    assert event.stream == "agent:refund-bot"
    assert "whsec_" not in event.body


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://agent.example.com/", "Use https"),
        ("https://169.254.169.254/latest/", "not a public address"),
        ("https://2130706433/", "in full"),
        ("https://a:b@agent.example.com/", "Leave user and password out"),
        ("https://agent.example.com:25/", "Port 25 is not allowed here, only 443."),
        ('https://"><script>alert(1)</script>', "plain ASCII"),
        ("https://agent.example.com/\u202e", "plain ASCII"),
        ("javascript:alert(1)", "Begin the address with https"),
        ("", "required"),
    ],
)
def test_another_address_is_refused_with_the_reason(
    console: Client, agent: Agent, url: str, words: str
) -> None:
    answer = console.post(f"{LIST}add/", {"agent": agent.pk, "url": url})

    assert words in answer.text
    assert "<script>alert(1)" not in answer.text
    assert not Webhook.objects.exists()


def test_the_same_address_twice_is_refused(
    console: Client, webhook: Webhook, agent: Agent
) -> None:
    answer = console.post(f"{LIST}add/", {"agent": agent.pk, "url": URL})

    assert "already" in answer.text
    assert Webhook.objects.count() == 1


def test_it_can_be_moved(console: Client, webhook: Webhook) -> None:
    console.post(f"{LIST}{webhook.pk}/change/", {"url": f"{URL}/2"})

    webhook.refresh_from_db()
    assert webhook.url == f"{URL}/2"
    change = {"address": {"old": URL, "new": f"{URL}/2"}}
    assert latest().data["changes"] == change


def test_to_the_same_place_changes_nothing(console: Client, webhook: Webhook) -> None:
    before = latest()
    console.post(f"{LIST}{webhook.pk}/change/", {"url": URL})

    assert latest() == before


def test_there_are_not_too_many(
    console: Client, webhook: Webhook, agent: Agent, administrator: User
) -> None:
    for number in range(keeping.MOST - 1):
        keeping.set_up(agent, f"{URL}/{number}", author=administrator)
    answer = console.post(
        f"{LIST}add/", {"agent": agent.pk, "url": f"{URL}/one-more"}, follow=True
    )

    assert "Change one of them" in answer.text
    assert Webhook.objects.count() == keeping.MOST


def test_a_new_secret_is_shown_once_and_the_former_kept_a_day(
    console: Client, webhook: Webhook
) -> None:
    former = kept_secret()
    page = f"{LIST}{webhook.pk}/rotate/"
    assert "24 hours" in console.get(page).text
    assert kept_secret() == former

    answer = console.post(page)
    assert shown_secret(answer) == kept_secret() != former
    webhook.refresh_from_db()
    assert sealing.unseal(webhook.former_secret, "webhook") == former
    assert latest().data["rotated"] is True
    assert "the former one until" in console.get(f"{LIST}{webhook.pk}/change/").text


def test_a_test_is_sent_and_seen(
    console: Client, agent: Agent, receiver: Receiver, administrator: User
) -> None:
    webhook, secret = keeping.set_up(agent, receiver.url, author=administrator)
    receiver.manner = answering(500, b"<b>Out of order</b>\0")
    console.post(f"{LIST}{webhook.pk}/send_test/")
    send_webhooks()

    [received] = receiver.received
    said = Verifier(secret).verify(received.body, received.headers)
    assert said["type"] == "webhook.test"
    message = WebhookMessage.objects.get()
    shown = console.get(f"{LOG}{message.pk}/change/").text
    assert "&lt;b&gt;Out of order&lt;/b&gt;⟨U+0000⟩" in shown
    assert "The receiver answered 500." in shown
    link = f"{LOG}{message.pk}/change/"
    assert link in console.get(f"{LOG}?webhook__id__exact={webhook.pk}").text
    assert link in console.get(f"{LOG}?q={message.key}").text
    assert "failing" in console.get(LIST).text


def failed(webhook: Webhook, count: int = 1) -> list[WebhookMessage]:
    at = clock.now()
    rows = [messages.trial(webhook, at) for _ in range(count)]
    for row in rows:
        row.state, row.attempts = State.FAILED, 10
        row.save()
    return rows


def test_one_message_can_be_sent_again(console: Client, webhook: Webhook) -> None:
    [message] = failed(webhook)
    page = f"{LOG}{message.pk}/replay/"
    assert "same id" in console.get(page).text

    console.post(page)
    again = WebhookMessage.objects.get()
    assert (again.state, again.attempts, again.key) == (State.WAITING, 0, message.key)
    assert latest().kind == Kind.WEBHOOK_REPLAYED
    assert latest().actor_name == "ada"
    assert latest().data["message"] == message.key

    answer = console.post(page, follow=True)
    assert "needs no replay" in answer.text


def test_what_arrived_can_be_sent_again_as_well(
    console: Client, agent: Agent, receiver: Receiver, administrator: User
) -> None:
    webhook, _ = keeping.set_up(agent, receiver.url, author=administrator)
    keeping.send_test(webhook, author=administrator)
    send_webhooks()
    console.post(f"{LOG}{WebhookMessage.objects.get().pk}/replay/")
    send_webhooks()

    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)


def test_everything_that_failed_can_be_sent_again(
    console: Client, webhook: Webhook
) -> None:
    failed(webhook, 3)
    WebhookMessage.objects.filter(pk=failed(webhook)[0].pk).update(
        made_at=clock.now() - 25 * keeping.OVERLAP / 24
    )
    console.post(f"{LIST}{webhook.pk}/replay_failed/", {"since": "24"})

    assert WebhookMessage.objects.waiting().count() == 3
    assert latest().kind == Kind.WEBHOOK_REPLAYED
    assert latest().data["messages"] == 3


def test_it_is_switched_off_and_on(console: Client, webhook: Webhook) -> None:
    page = f"{LIST}{webhook.pk}/switch/"
    console.post(page, {"reason": ""})
    assert Webhook.objects.get().active

    console.post(page, {"reason": "The receiver moves."})
    webhook.refresh_from_db()
    assert (webhook.active, webhook.disabled_reason) == (False, "The receiver moves.")
    assert latest().data["reason"] == "The receiver moves."
    answer = console.post(f"{LIST}{webhook.pk}/send_test/", follow=True)
    assert "switched off" in answer.text

    console.post(page)
    assert Webhook.objects.get().active
    assert latest().data["changes"] == {"active": {"old": False, "new": True}}


def test_it_stands_on_the_page_of_the_agent(console: Client, webhook: Webhook) -> None:
    page = console.get(f"/admin/governance/agent/{webhook.agent_id}/change/").text

    assert f"{LIST}{webhook.pk}/change/" in page
    assert URL in page


@pytest.mark.parametrize("path", ["rotate", "send_test", "replay_failed", "switch"])
def test_others_may_look_and_no_more(webhook: Webhook, path: str) -> None:
    auditor = make_user("cora", Group.objects.get(name="Role: compliance"))
    client, before = browser(auditor), latest()

    assert client.get(f"{LIST}{webhook.pk}/change/").status_code == 200
    assert client.post(f"{LIST}{webhook.pk}/{path}/").status_code in (302, 403)
    assert latest() == before


def test_the_right_is_asked_where_it_is_used(agent: Agent, charlie: User) -> None:
    with pytest.raises(keeping.MayNotKeepWebhooks):
        keeping.set_up(agent, URL, author=charlie)

    assert not Webhook.objects.exists()


def test_lists_ask_the_same_for_one_and_for_eleven(
    webhook: Webhook, agent: Agent, administrator: User
) -> None:
    client = browser(root())

    def asked(page: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert client.get(page).status_code == 200
        return len(found)

    failed(webhook)
    few = [asked(page) for page in (LIST, LOG) for _ in range(2)]
    for number in range(9):
        failed(keeping.set_up(agent, f"{URL}/{number}", author=administrator)[0])
    many = [asked(page) for page in (LIST, LOG) for _ in range(2)]

    assert many[1::2] == few[1::2]


def test_operators_see_what_was_given_up(webhook: Webhook) -> None:
    failed(webhook, 2)

    metrics = Client().get("/metrics").text
    assert 'countersign_webhooks{state="failed"} 2.0' in metrics
    assert 'countersign_webhooks{state="waiting"} 0.0' in metrics
