"""What was begun elsewhere is ended there: one conversation for each request."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from pytest_django import Settings

from approvals import services
from approvals.models import ApprovalRequest, Vote
from governance import clock
from governance.models import User
from governance.risk import BANDS
from notifications.jobs import publish_events, send_due
from notifications.models import Delivery, Place, Preference, Rule
from tests.cast import AgentClient
from tests.notifications.mailserver import MailServer
from tests.notifications.test_email import html_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]


def run() -> None:
    publish_events()
    send_due()


def decide(person: User, verdict: Vote.Verdict = Vote.Verdict.REJECT) -> None:
    request = ApprovalRequest.objects.get()
    services.decide(
        request, person, verdict, digest=request.digest, comment="A known fraudster."
    )


def test_who_was_mailed_is_mailed_the_outcome(
    api: AgentClient, alice: User, bob: User, mail_server: MailServer
) -> None:
    api.submit()
    run()
    decide(alice)
    run()

    asked, outcome = mail_server.to("bob@example.com")
    assert outcome["Subject"] == f"Re: {asked['Subject']}"
    assert outcome["References"] == asked["References"]
    assert outcome["Message-ID"] != asked["Message-ID"]
    assert text_of(outcome).startswith("Rejected by alice")
    assert "A known fraudster" in text_of(outcome)
    assert "Decide by" not in text_of(outcome)


def test_several_mails_about_one_request_end_in_one(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    api.submit()
    run()
    with clock.shifted(timedelta(minutes=16)):
        from approvals.jobs import settle_due

        settle_due()
        run()
    assert len(mail_server.mails) == 2

    decide(alice)
    run()
    assert len(mail_server.mails) == 3


def test_a_mailing_list_hears_what_its_group_is_asked_and_how_it_ends(
    api: AgentClient, alice: User, managers: Group, mail_server: MailServer
) -> None:
    Place.objects.create(
        title="Managers", channel="email", address="list@example.com", group=managers
    )
    api.submit()
    run()
    decide(alice)
    run()

    asked, outcome = mail_server.to("list@example.com")
    assert asked["Subject"].startswith("Approval needed")
    assert text_of(outcome).startswith("Rejected by alice")


def test_a_rule_can_leave_the_outcome_in_the_console(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    Rule.objects.create(title="Quiet ends", topics=["decided"], channels=[])
    api.submit()
    run()
    decide(alice)
    run()

    assert len(mail_server.mails) == 1


def test_a_decision_made_while_a_mail_was_on_its_way_is_told_after_it(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    api.submit()
    publish_events()
    first = Delivery.objects.get(channel="email")
    # It has left, and is not written down yet.
    assert Delivery.objects.claim(first, clock.now())
    first.attempts += 1
    decide(alice)
    publish_events()
    from notifications import sending

    sending.succeed(first, "<id>")
    send_due()

    [outcome] = mail_server.mails
    assert text_of(outcome).startswith("Rejected by alice")


def test_each_attempt_is_on_record(
    api: AgentClient, alice: User, settings: Settings, mail_server: MailServer
) -> None:
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    api.submit()
    run()
    settings.EMAIL_PORT = port
    with clock.shifted(timedelta(minutes=3)):
        send_due()

    tries = Delivery.objects.get(channel="email").tries.all()
    assert [each.number for each in tries] == [1, 2]
    assert "refused" in tries[0].error
    assert tries[1].error == ""


# Digests


def low_risk(api: AgentClient, number: int) -> None:
    api.submit(params={"customer_id": f"C-{number}"})


@pytest.fixture
def harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BANDS, "low", range(101))


@pytest.mark.usefixtures("harmless")
def test_what_is_of_low_risk_comes_in_one_mail(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    Preference.objects.create(person=alice, digest_minutes=30)
    for number in range(3):
        low_risk(api, number)
    run()
    assert mail_server.mails == []

    with clock.shifted(timedelta(minutes=31)):
        assert send_due() == 1
    [mail] = mail_server.mails
    assert mail["Subject"] == "3 requests of low risk waiting for you"
    for request in ApprovalRequest.objects.all():
        assert str(request.pk) in text_of(mail)
        assert str(request.pk) in html_of(mail)
    assert set(Delivery.objects.filter(channel="email").values_list("state")) == {
        ("sent",)
    }


@pytest.mark.usefixtures("harmless")
def test_what_was_decided_meanwhile_is_left_out_of_a_digest(
    api: AgentClient, alice: User, bob: User, mail_server: MailServer
) -> None:
    Preference.objects.create(person=alice, digest_minutes=30, slack=False)
    Preference.objects.create(person=bob, email=False)
    low_risk(api, 1)
    decide_later = ApprovalRequest.objects.get()
    low_risk(api, 2)
    publish_events()
    services.decide(decide_later, bob, Vote.Verdict.APPROVE, digest=decide_later.digest)
    with clock.shifted(timedelta(minutes=31)):
        send_due()

    [mail] = mail_server.to("alice@example.com")
    # One is left: it is told as itself.
    assert mail["Subject"].startswith("Approval needed: ")
    assert str(decide_later.pk) not in text_of(mail)


# Channels apart


def test_a_channel_that_is_stuck_delays_no_other(
    api: AgentClient,
    alice: User,
    managers: Group,
    mail_server: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from notifications.transports.base import DeliveryError, Message
    from notifications.transports.other import Other

    mailed = threading.Event()

    def stuck(self: Other, message: Message) -> str:
        assert mailed.wait(10), "the mail had to wait"
        raise DeliveryError("Gave up.")

    monkeypatch.setattr(Other, "send", stuck)
    mail_server.after_mail = lambda to: mailed.set()
    for number in range(9):
        Place.objects.create(
            title=f"{number}", channel="other", address=f"{number}", group=managers
        )
    api.submit()
    run()

    assert Delivery.objects.get(channel="email").state == "sent"
    others = Delivery.objects.filter(channel="other")
    assert set(others.values_list("state", flat=True)) == {"waiting"}


def test_a_channel_that_fails_rests_until_the_next_run(
    api: AgentClient, alice: User, managers: Group, settings: Settings
) -> None:
    settings.APPRISE_URLS = {}
    for number in range(30):
        Place.objects.create(
            title=f"{number}", channel="other", address=f"{number}", group=managers
        )
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    api.submit()
    run()

    tried = Delivery.objects.filter(channel="other", attempts=1).count()
    assert 4 <= tried <= 8
