"""Agents are told what became of their actions: signed, late or twice at worst."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from approvals import services
from approvals.jobs import settle_due
from approvals.models import ApprovalRequest, Vote
from governance import clock, freezes, sealing
from governance.ledger import Kind
from governance.models import Agent, Event, User
from governance.services import create_agent
from notifications.jobs import publish_events
from notifications.models import Delivery, Webhook, WebhookAttempt, WebhookMessage
from notifications.webhooks import (
    keeping,
    messages,
    models,
    sending,
    signing,
    wire,
)
from notifications.webhooks.jobs import send_webhooks
from notifications.webhooks.models import LONGEST, MAX_ATTEMPTS, SCHEDULE
from tests.approvals.factories import make_request
from tests.cast import AgentClient, make_user
from tests.notifications import receivers
from tests.notifications.receivers import Receiver, answering, dripping, silent
from tests.pages import permit, root

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]

State = WebhookMessage.State
HOUR = timedelta(hours=1)


@pytest.fixture
def administrator(db: None) -> User:
    return root()


@pytest.fixture
def secret(agent: Agent, receiver: Receiver, administrator: User) -> str:
    """The agent has a webhook: the secret that its author was shown."""
    return keeping.set_up(agent, receiver.url, author=administrator)[1]


def webhook() -> Webhook:
    return Webhook.objects.get()


def message() -> WebhookMessage:
    return WebhookMessage.objects.get()


def decide(request: ApprovalRequest, person: User, verdict: str = "approve") -> None:
    said: dict[str, Any] = {"comment": "Ask for a photo.", "digest": request.digest}
    services.decide(request, person, Vote.Verdict(verdict), **said)
    publish_events()


def queue(count: int) -> None:
    """Have as many messages wait for each webhook."""
    at = clock.now()
    rows = [messages.trial(each, at) for each in Webhook.objects.all()] * count
    for row in rows:
        row.pk, row.key = None, models.message_id()
        row.save()


def send_later(by: timedelta) -> int:
    with clock.shifted(by):
        return send_webhooks()


def types() -> list[str]:
    return list(WebhookMessage.objects.order_by("id").values_list("type", flat=True))


# What is told


def test_an_approval_is_told_signed(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> None:
    decide(refund, alice)
    assert send_webhooks() == 1

    [received] = receiver.received
    said = Verifier(secret).verify(received.body, received.headers)
    assert said["type"] == "action.approved"
    data = said["data"]
    assert data["id"] == str(refund.action_id)
    assert data["status"] == "approved"
    assert data["digest"] == refund.digest
    assert data["approval"]["comment"] == "Ask for a photo."
    assert data["url"].endswith(f"/api/v1/actions/{refund.action_id}")
    assert message().state == State.SENT
    assert received.id == message().key


def test_what_the_agent_sent_itself_stays_here(
    agent: Agent, secret: str, alice: User, receiver: Receiver
) -> None:
    canary: dict[str, Any] = {"reason": "canary-1", "context": {"note": "canary-2"}}
    decide(make_request(agent, customer_id="canary-3", **canary), alice)
    send_webhooks()

    [received] = receiver.received
    assert b"canary" not in received.body


def test_nor_do_the_parameters_that_people_propose(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> None:
    proposed = {**refund.params, "customer_id": "canary"}
    said: dict[str, Any] = {
        "digest": refund.digest,
        "proposed_params": proposed,
        "comment": "Less.",
    }
    services.decide(refund, alice, Vote.Verdict.REQUEST_CHANGES, **said)
    publish_events()
    send_webhooks()

    [received] = receiver.received
    assert json.loads(received.body)["type"] == "action.changes_requested"
    assert b"canary" not in received.body


@pytest.mark.parametrize(
    ("verdict", "name"),
    [
        ("approve", "action.approved"),
        ("reject", "action.rejected"),
        ("request_changes", "action.changes_requested"),
    ],
)
def test_every_verdict_is_told(
    secret: str, refund: ApprovalRequest, alice: User, verdict: str, name: str
) -> None:
    decide(refund, alice, verdict)

    assert types() == [name]


def test_silence_is_told(secret: str, refund: ApprovalRequest) -> None:
    with clock.shifted(timedelta(days=2)):
        settle_due()
        settle_due()
        publish_events()

    assert types() == ["action.expired"]


def test_withdrawing_is_told(secret: str, refund: ApprovalRequest) -> None:
    services.cancel(refund.action_id, refund.action.agent)
    publish_events()

    assert types() == ["action.cancelled"]


def test_broken_glass_approves(secret: str, refund: ApprovalRequest) -> None:
    dora = make_user("dora")
    permit(dora, "approvals.break_glass", "approvals.view_all_approvalrequest")
    why = "The queue is down and a hospital waits."
    services.break_glass(dora, pattern="refund.*", reason=why, for_=HOUR)
    make_request(refund.action.agent, order_id="A-2")
    publish_events()

    assert types() == ["action.approved"]


def test_another_verdict_of_the_rules_is_told(
    secret: str, refund: ApprovalRequest, administrator: User, tmp_path: Any
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "version: 1\npolicies:\n"
        "  - {name: none, actions: ['refund.*'], decision: BLOCK, reason: Not now.}\n"
    )
    call_command("load_policies", str(rules), verbosity=0)
    services.rejudge(refund, administrator)
    publish_events()

    assert types() == ["action.blocked"]
    assert Delivery.objects.filter(event__kind=Kind.JUDGED_AGAIN).count() == 0


def test_what_the_agent_learns_on_the_spot_is_not_told(
    secret: str, api: AgentClient
) -> None:
    api.submit(20)
    api.submit(75)
    publish_events()

    assert types() == []


def test_other_agents_are_not_told(
    secret: str, refund_rules: None, alice: User
) -> None:
    decide(make_request(create_agent("other-bot")), alice)

    assert types() == []


def test_each_address_is_told_once(
    agent: Agent, secret: str, refund: ApprovalRequest, alice: User, administrator: User
) -> None:
    keeping.set_up(agent, webhook().url + "/other", author=administrator)
    decide(refund, alice)
    publish_events()
    messages.tell(Event.objects.get(kind=Kind.APPROVED))

    assert types() == ["action.approved"] * 2
    assert len(set(WebhookMessage.objects.values_list("key", flat=True))) == 2


def test_what_is_long_is_told_short(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> None:
    said: dict[str, Any] = {"conditions": ["c" * 3000] * 8, "digest": refund.digest}
    services.decide(refund, alice, Vote.Verdict.APPROVE, **said)
    publish_events()
    send_webhooks()

    [received] = receiver.received
    assert len(received.body) < 1000
    data = json.loads(received.body)["data"]
    assert (data["id"], data["status"]) == (str(refund.action_id), "approved")
    assert "approval" not in data


def test_hostile_text_arrives_as_it_was_said(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> None:
    hostile = "</script>\u202e\u2028\\ \" \U0001f4a5 '\r\n"
    said: dict[str, Any] = {"comment": hostile, "digest": refund.digest}
    services.decide(refund, alice, Vote.Verdict.APPROVE, **said)
    publish_events()
    send_webhooks()

    [received] = receiver.received
    assert received.body.isascii()
    comment = Verifier(secret).verify(received.body, received.headers)["data"]
    assert hostile.strip() in comment["approval"]["comment"]


# Signatures


def test_the_signature_is_the_one_of_the_standard() -> None:
    # The vector of the specification's own libraries.
    made = signing.signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        '{"test": 2432232314}',
    )

    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_sign_for_a_day(
    secret: str, refund: ApprovalRequest, alice: User, administrator: User
) -> None:
    decide(refund, alice)
    new = keeping.rotate(webhook(), author=administrator)
    at = clock.now()

    assert signatures(at) == {secret, new}
    assert signatures(at + 23 * HOUR) == {secret, new}
    assert signatures(at + 25 * HOUR) == {new}


def signatures(at: datetime) -> set[str]:
    """Return the secrets by which somebody could verify what is sent at a moment."""
    made = signing.headers(webhook(), message(), at)["webhook-signature"].split(" ")
    keys = [webhook().secret, webhook().former_secret]
    found = set()
    for key in keys:
        plain = sealing.unseal(key, signing.PURPOSE)
        if signing.signed(plain, message().key, at, message().body) in made:
            found.add(plain)
    assert len(made) == len(found)
    return found


def test_a_changed_body_does_not_verify(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> None:
    decide(refund, alice)
    send_webhooks()
    [received] = receiver.received

    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(received.body + b" ", received.headers)


def test_a_secret_that_cannot_be_read_is_said(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> None:
    decide(refund, alice)
    Webhook.objects.update(secret="lost")
    send_webhooks()

    assert receiver.connections == 0
    assert "secret cannot be read" in message().error


# Again and again


def test_it_is_tried_as_the_standard_proposes(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> None:
    receiver.manner = answering(500, b"Out of order")
    decide(refund, alice)
    passed = timedelta(0)
    for wait in (timedelta(0), *SCHEDULE):
        early = passed + wait - timedelta(seconds=1)
        assert send_later(early) == 0 or not wait
        passed += wait * 1.1 + timedelta(seconds=2)
        assert send_later(passed) == 1

    assert len(receiver.received) == MAX_ATTEMPTS == 10
    assert timedelta(hours=75) < passed < timedelta(hours=84)
    assert message().state == State.FAILED
    assert send_later(passed + 100 * HOUR) == 0
    assert {each.id for each in receiver.received} == {message().key}
    assert {each.body for each in receiver.received} == {message().body.encode()}


def test_each_attempt_is_on_record(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> None:
    receiver.manner = answering(503, b"Not now.\0")
    decide(refund, alice)
    send_webhooks()
    receiver.manner = answering(204, b"")
    send_later(timedelta(seconds=8))

    first, second = WebhookAttempt.objects.all()
    assert (first.status, first.answer) == (503, "Not now.⟨U+0000⟩")
    assert first.error == "The receiver answered 503."
    assert (second.status, second.error) == (204, "")
    assert first.seconds is not None
    assert message().error == ""


def test_given_up_it_is_told_to_administrators_once(
    agent: Agent, secret: str, alice: User, receiver: Receiver, administrator: User
) -> None:
    receiver.manner = answering(500)
    queue(3)
    WebhookMessage.objects.update(attempts=MAX_ATTEMPTS - 1)
    send_webhooks()
    send_later(timedelta(minutes=1))
    publish_events()

    assert Event.objects.filter(kind=Kind.WEBHOOK_FAILED).count() == 3
    event = Event.objects.get(kind=Kind.WEBHOOK_STUCK)
    told = Delivery.objects.filter(event=event, channel="in_app")
    assert [each.person for each in told] == [administrator]
    assert Delivery.objects.filter(event=event, channel="email").count() == 1


def test_after_75_hours_everything_still_arrives(
    agent: Agent, secret: str, alice: User, receiver: Receiver
) -> None:
    receiver.manner = answering(502)
    queue(20)
    for hour in range(75):
        send_later(timedelta(hours=hour))
    receiver.received.clear()
    receiver.manner = answering()
    send_later(timedelta(hours=76))

    assert set(WebhookMessage.objects.values_list("state", flat=True)) == {State.SENT}
    assert len({each.id for each in receiver.received}) == 20
    assert len(receiver.received) == 20


def test_what_waited_for_days_is_given_up(
    agent: Agent, secret: str, alice: User, receiver: Receiver
) -> None:
    receiver.manner = answering(502)
    queue(8)
    send_webhooks()
    send_later(LONGEST + HOUR)

    assert set(WebhookMessage.objects.values_list("state", flat=True)) == {State.FAILED}


def test_gone_switches_it_off(
    agent: Agent, secret: str, alice: User, receiver: Receiver, administrator: User
) -> None:
    receiver.manner = answering(410)
    decide(make_request(agent), alice)
    decide(make_request(agent, order_id="A-2"), alice)
    send_webhooks()

    assert not webhook().active
    assert set(WebhookMessage.objects.values_list("state", flat=True)) == {State.FAILED}
    decide(make_request(agent, order_id="A-3"), alice)
    assert WebhookMessage.objects.count() == 2
    event = Event.objects.get(kind=Kind.WEBHOOK_DISABLED)
    told = Delivery.objects.filter(event=event, channel="in_app")
    assert [each.person for each in told] == [administrator]


@pytest.mark.parametrize("as_date", [False, True])
def test_asked_to_wait_it_waits(
    agent: Agent, secret: str, alice: User, receiver: Receiver, as_date: bool
) -> None:
    until = format_datetime(clock.now() + timedelta(seconds=601), usegmt=True)
    receiver.manner = answering(429, retry_after=until if as_date else "600")
    decide(make_request(agent), alice)
    send_webhooks()
    # Neither is anything else sent there meanwhile.
    decide(make_request(agent, order_id="A-2"), alice)

    assert send_later(timedelta(minutes=9)) == 0
    receiver.manner = answering()
    assert send_later(timedelta(minutes=11)) == 2


@pytest.mark.parametrize(
    "said", ["9" * 40, "1e9", "-5", "soon", "", "Fri, 31 Dec 9999 23:59:59 GMT"]
)
def test_nobody_makes_it_wait_for_ever(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver, said: str
) -> None:
    receiver.manner = answering(429, retry_after=said)
    decide(refund, alice)
    send_webhooks()

    assert message().next_attempt_at <= clock.now() + timedelta(days=1)


def test_a_flapping_receiver_gets_everything(
    agent: Agent, secret: str, alice: User, receiver: Receiver
) -> None:
    answers = [answering(500), answering(200)] * 100
    receiver.manner = lambda line, it: answers.pop()(line, it)
    queue(10)
    for minutes in range(0, 200, 5):
        send_later(timedelta(minutes=minutes))

    assert set(WebhookMessage.objects.values_list("state", flat=True)) == {State.SENT}


# One does not delay another


def test_after_many_failures_it_rests(
    agent: Agent, secret: str, alice: User, receiver: Receiver
) -> None:
    receiver.manner = answering(500)
    queue(20)
    for _ in range(5):
        send_webhooks()

    assert 5 <= len(receiver.received) <= 6
    assert send_later(timedelta(seconds=20)) == 0
    assert send_later(timedelta(seconds=90)) == 1


def test_a_stuck_receiver_delays_no_other(
    agent: Agent,
    secret: str,
    alice: User,
    receiver: Receiver,
    administrator: User,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "SECONDS", 3)
    with ExitStack() as stack:
        for _ in range(3):
            stuck = stack.enter_context(receivers.running())
            stuck.manner = silent
            settings.WEBHOOK_PORTS = [*settings.WEBHOOK_PORTS, stuck.port]
            keeping.set_up(agent, stuck.url, author=administrator)
        arrived: list[int] = []

        def arrive(line: Any, it: Any) -> None:
            arrived.append(stuck.connections)
            answering()(line, it)

        receiver.manner = arrive
        queue(10)
        send_webhooks()

    # All of them while the others had not even got an answer to their first.
    assert len(arrived) == 10
    assert max(arrived) == 1
    healthy = WebhookMessage.objects.filter(webhook__url=receiver.url)
    assert set(healthy.values_list("state", flat=True)) == {State.SENT}


def test_one_receiver_is_sent_one_at_a_time(
    agent: Agent, secret: str, alice: User, receiver: Receiver
) -> None:
    busy, most, lock = 0, 0, threading.Lock()

    def count(line: Any, it: Any) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        threading.Event().wait(0.05)
        with lock:
            busy -= 1
        answering()(line, it)

    receiver.manner = count
    queue(10)

    assert send_webhooks() == 10
    assert most == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_a_message_once(
    secret: str,
    refund: ApprovalRequest,
    alice: User,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decide(refund, alice)
    # Two workers meeting here have both seen that the message is due.
    meeting_point = threading.Barrier(2, timeout=5)
    is_exhausted = WebhookMessage.is_exhausted

    def is_exhausted_late(message: WebhookMessage) -> bool:
        with suppress(threading.BrokenBarrierError):
            meeting_point.wait()
        return is_exhausted(message)

    monkeypatch.setattr(WebhookMessage, "is_exhausted", is_exhausted_late)

    def work(_: int) -> int:
        try:
            return send_webhooks()
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(work, range(2))) == [0, 1]
    assert len(receiver.received) == 1


def test_a_late_success_counts(
    secret: str, refund: ApprovalRequest, alice: User, administrator: User
) -> None:
    decide(refund, alice)
    post = sending.take(webhook())
    assert post
    keeping.switch_off(webhook(), "Not needed.", author=administrator)
    assert message().state == State.FAILED

    sending.succeed(post, wire.Answer(200, "", ""))
    assert message().state == State.SENT


def test_a_late_failure_does_not_undo_a_success(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> None:
    decide(refund, alice)
    post = sending.take(webhook())
    assert post
    assert send_later(timedelta(minutes=1)) == 1

    sending.fail(post, "It took too long.")
    assert message().state == State.SENT


def test_what_was_told_is_in_the_story(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> None:
    decide(refund, alice)
    send_webhooks()

    event = Event.objects.get(kind=Kind.WEBHOOK_SENT)
    assert event.action_id == refund.action_id
    assert event.data["message"] == message().key
    assert receiver.url not in event.body


def test_frozen_agents_are_still_told(
    secret: str, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> None:
    freezes.freeze("*", reason="Stop.")
    decide(refund, alice, "reject")

    assert send_webhooks() == 1


def test_dripping_it_is_still_told(
    secret: str,
    refund: ApprovalRequest,
    alice: User,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "SECONDS", 0.5)
    receiver.manner = dripping(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000)
    decide(refund, alice)
    send_webhooks()

    assert message().state == State.WAITING
    assert message().error == "There was no answer within 0.5 seconds."


def test_a_late_failure_does_not_disturb_the_attempt_after_it(
    secret: str, refund: ApprovalRequest, alice: User
) -> None:
    decide(refund, alice)
    first = sending.take(webhook())
    with clock.shifted(timedelta(minutes=1)):
        assert sending.take(webhook())
        booked = message().next_attempt_at
        assert first
        sending.fail(first, "It took too long.")

    assert message().next_attempt_at == booked
    assert message().attempts == 2


def test_when_it_answers_again_what_is_under_way_is_not_sent_twice(
    secret: str, refund: ApprovalRequest, alice: User
) -> None:
    decide(refund, alice)
    queue(1)
    Webhook.objects.update(failures=models.MANY_FAILURES)
    first, second = sending.take(webhook()), sending.take(webhook())
    assert first
    assert second
    sending.succeed(first, wire.Answer(200, "", ""))

    assert WebhookMessage.objects.due(clock.now()).count() == 0
