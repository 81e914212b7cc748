"""A request says whom it was told to, and how far each message has come."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.html import strip_tags
from pytest_django import Settings

from approvals.models import ApprovalRequest
from governance import clock
from governance.models import User
from notifications.jobs import publish_events, send_due
from notifications.models import Delivery, Preference
from notifications.told import told
from tests.cast import AgentClient
from tests.notifications.mailserver import MailServer
from tests.pages import browser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules", "alice")]


def lines(api: AgentClient) -> list[str]:
    api.submit()
    publish_events()
    send_due()
    request = ApprovalRequest.objects.get()
    return [
        f"{each.channel} {each.reader}: {each.state} ({each.tone})"
        for each in told(request.action, request.pk)
    ]


def test_what_was_sent_is_sent(api: AgentClient, mail_server: MailServer) -> None:
    assert lines(api) == ["Console alice: sent (good)", "E-mail alice: sent (good)"]


def test_what_failed_says_when_it_is_tried_again(
    api: AgentClient, settings: Settings, mail_server: MailServer
) -> None:
    settings.EMAIL_PORT = 1
    assert lines(api)[1] == "E-mail alice: failed, retrying (warn)"

    request = ApprovalRequest.objects.get()
    mail = told(request.action, request.pk)[1]
    assert "refused" in mail.error
    assert mail.at
    assert mail.at > clock.now() + timedelta(minutes=1)


def test_what_was_given_up_says_so(api: AgentClient, mail_server: MailServer) -> None:
    mail_server.at_address = lambda to: "550 No such user"

    assert lines(api)[1] == "E-mail alice: given up (bad)"


def test_what_waits_says_for_how_long(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    Preference.objects.create(
        person=alice, quiet_from="00:00", quiet_until="23:59:59", urgent_from=101
    )

    assert lines(api)[1] == "E-mail alice: waiting, goes out (info)"


def test_what_nobody_needs_any_more_is_said_to_be_needless(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    api.submit()
    publish_events()
    alice.groups.clear()
    send_due()

    request = ApprovalRequest.objects.get()
    assert told(request.action, request.pk)[1].state == "not sent: no longer asked"


def test_whoever_has_seen_it_has_read_it(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    lines(api)
    request = ApprovalRequest.objects.get()
    page = reverse("admin:approvals_approvalrequest_change", args=[request.pk])
    browser(alice).get(page)
    publish_events()

    html = browser(alice).get(page).content.decode()
    shown = " ".join(strip_tags(html).split())
    assert "Who was told Console alice read" in shown
    assert "E-mail alice sent" in shown
    assert Delivery.objects.unread(alice).count() == 0
