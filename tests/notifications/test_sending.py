"""From deliveries to people: late or twice at worst, and never lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from pytest_django import Settings

from approvals import services
from approvals.models import ApprovalRequest, Vote
from governance import clock, ledger
from governance.ledger import SYSTEM, Kind
from governance.models import Event, User
from notifications.jobs import publish_events, send_due
from notifications.models import Delivery
from tests.cast import AgentClient, make_user
from tests.notifications.mailserver import MailServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]

State = Delivery.State


def publish(api: AgentClient, **fields: Any) -> None:
    assert api.submit(**fields)["status"] == "pending"
    publish_events()


def mails() -> Any:
    return Delivery.objects.filter(channel="email").order_by("person__username")


def states() -> dict[str, str]:
    return dict(mails().values_list("person__username", "state"))


def send_later(**fields: int) -> int:
    with clock.shifted(timedelta(**fields)):
        return send_due()


def test_a_mail_that_went_out_is_on_the_record(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    publish(api)
    send_due()

    assert states() == {"alice": State.SENT}
    event = Event.objects.filter(kind=Kind.NOTIFIED).latest("id")
    assert event.data["channel"] == "email"
    assert event.data["people"] == ["alice"]


def test_it_goes_out_once(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    publish(api)

    assert send_due() == 1
    assert send_due() == 0
    assert send_later(hours=3) == 0
    assert len(mail_server.mails) == 1


def test_an_attempt_that_died_is_made_again_later(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    publish(api)
    assert Delivery.objects.claim(mails().get(), clock.now())

    assert send_due() == 0
    assert send_later(minutes=2) == 1
    assert len(mail_server.mails) == 1


def test_what_always_dies_is_given_up(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    publish(api)
    mails().update(attempts=Delivery.MAX_ATTEMPTS)
    send_due()

    assert states() == {"alice": State.FAILED}
    assert Event.objects.filter(kind=Kind.NOTIFICATION_FAILED).count() == 1
    assert mail_server.mails == []


def test_a_server_that_is_away_is_tried_again(
    api: AgentClient, alice: User, mail_server: MailServer, settings: Settings
) -> None:
    publish(api)
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    send_due()
    delivery = mails().get()
    assert (delivery.state, delivery.attempts) == (State.WAITING, 1)
    assert "refused" in delivery.error

    settings.EMAIL_PORT = port
    assert send_later(minutes=2) == 1
    assert states() == {"alice": State.SENT}


def test_it_waits_longer_each_time_and_then_gives_up(
    api: AgentClient, alice: User, settings: Settings, mail_server: MailServer
) -> None:
    settings.EMAIL_PORT = 1
    publish(api)
    waits = []
    for attempt in range(Delivery.MAX_ATTEMPTS):
        with clock.shifted(timedelta(hours=3 * attempt)):
            assert send_due() == 1
            waits.append(mails().get().next_attempt_at - clock.now())

    assert waits == sorted(waits)
    assert timedelta(hours=2) < waits[-1] < timedelta(hours=3)
    assert states() == {"alice": State.FAILED}
    [event] = Event.objects.filter(kind=Kind.NOTIFICATION_FAILED)
    assert event.data["people"] == ["alice"]
    assert "refused" in event.data["error"]


def test_an_address_that_does_not_exist_is_not_tried_again(
    api: AgentClient, alice: User, bob: User, mail_server: MailServer
) -> None:
    mail_server.at_address = lambda to: "550 No such user" if "alice" in to else None
    publish(api)
    send_due()

    assert states() == {"alice": State.FAILED, "bob": State.SENT}
    assert "550 No such user" in mails().get(person=alice).error


def test_a_full_mailbox_is_tried_again(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    mail_server.at_address = lambda to: "452 Mailbox full"
    publish(api)
    send_due()

    assert states() == {"alice": State.WAITING}


def test_a_message_that_cannot_be_written_holds_up_no_other(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    at = clock.now()
    publish(api)
    request = ApprovalRequest.objects.get()
    about: Any = {"action": request.action, "request": str(request.pk)}
    bad = ledger.record(Kind.STAGE_OPENED, at=at, actor=SYSTEM, **about)
    Delivery.objects.create(
        event=bad, channel="email", person=alice, next_attempt_at=at
    )
    send_due()

    assert len(mail_server.mails) == 1
    assert Delivery.objects.get(event=bad).error == "'needed'"


def test_a_slow_receiver_delays_no_other(
    api: AgentClient, managers: Group, alice: User, mail_server: MailServer
) -> None:
    others = {
        f"{make_user(f'user{n}', managers).username}@example.com" for n in range(9)
    }
    arrived: set[str] = set()
    all_others = threading.Event()

    def answer(to: str) -> None:
        if to == "alice@example.com":
            assert all_others.wait(5), "the others had to wait"
        arrived.add(to)
        if arrived >= others:
            all_others.set()

    mail_server.at_address = answer
    publish(api)
    send_due()

    assert set(states().values()) == {State.SENT}


def test_nobody_is_asked_for_what_is_decided(
    api: AgentClient, alice: User, bob: User, mail_server: MailServer
) -> None:
    publish(api)
    request = ApprovalRequest.objects.get()
    services.decide(request, alice, Vote.Verdict.APPROVE, digest=request.digest)
    send_due()

    assert states() == {"alice": State.DROPPED, "bob": State.DROPPED}
    assert mail_server.mails == []


def test_who_has_answered_gets_no_mail(
    api: AgentClient, alice: User, bob: User, mail_server: MailServer
) -> None:
    publish(api)
    request = ApprovalRequest.objects.get()
    request.stages.update(needed=2)
    services.decide(request, alice, Vote.Verdict.APPROVE, digest=request.digest)
    send_due()

    assert states() == {"alice": State.DROPPED, "bob": State.SENT}


def test_who_left_the_group_gets_no_mail(
    api: AgentClient, alice: User, managers: Group, mail_server: MailServer
) -> None:
    publish(api)
    alice.groups.remove(managers)
    send_due()

    assert mail_server.mails == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_a_mail_once(
    api: AgentClient,
    alice: User,
    mail_server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish(api)
    # Two workers meeting here have both seen that the delivery is due.
    meeting_point = threading.Barrier(2, timeout=5)
    is_exhausted = Delivery.is_exhausted

    def is_exhausted_late(delivery: Delivery) -> bool:
        with suppress(threading.BrokenBarrierError):
            meeting_point.wait()
        return is_exhausted(delivery)

    monkeypatch.setattr(Delivery, "is_exhausted", is_exhausted_late)

    def work(_: int) -> int:
        try:
            return send_due()
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(work, range(2))) == [0, 1]
    assert len(mail_server.mails) == 1
