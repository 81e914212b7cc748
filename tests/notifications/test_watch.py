"""What does not go on by itself is noticed once, told elsewhere, and ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from approvals.jobs import settle_due
from governance import clock, queue
from governance.ledger import Kind
from governance.models import Event, JobRun, User
from notifications.jobs import publish_events, send_due
from notifications.models import Delivery, Place, Trouble
from notifications.watch.jobs import look
from tests.cast import AgentClient, make_user
from tests.notifications import webserver
from tests.notifications.mailserver import MailServer
from tests.notifications.webserver import Answer, WebServer
from tests.pages import browser

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("refund_rules", "alice"),
    # Apprise's own words, at import.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise"),
]


def look_later(**fields: int) -> int:
    with clock.shifted(timedelta(**fields)):
        return look()


def troubles() -> list[tuple[str, str]]:
    rows = Trouble.objects.filter(ended_at=None)
    return list(rows.values_list("kind", "subject").order_by("kind"))


def told(person: User) -> set[tuple[str, str]]:
    rows = Delivery.objects.filter(person=person, event__kind=Kind.TROUBLE_BEGAN)
    return set(rows.values_list("channel", "event__kind"))


def test_while_all_is_well_nothing_is_said(
    api: AgentClient, mail_server: MailServer
) -> None:
    api.submit()
    publish_events()
    send_due()

    assert look() == 0
    assert look_later(minutes=10) == 0
    assert troubles() == []


def test_events_that_nobody_publishes_are_noticed(api: AgentClient) -> None:
    api.submit()

    assert look_later(minutes=1) == 0
    assert look_later(minutes=3) == 1
    assert troubles() == [("unpublished", "")]


def test_messages_that_nobody_sends_are_noticed_by_channel(api: AgentClient) -> None:
    api.submit()
    publish_events()

    assert look_later(minutes=4) == 0
    look_later(minutes=6)
    assert troubles() == [("undelivered", "email")]
    assert "1 message not even tried for 5 minutes" in Trouble.objects.get().words


def test_deadlines_that_nobody_minds_are_noticed(
    api: AgentClient, mail_server: MailServer
) -> None:
    api.submit()
    publish_events()
    send_due()
    look_later(minutes=18)
    assert troubles() == [("unsettled", "")]

    with clock.shifted(timedelta(minutes=18)):
        settle_due()
        publish_events()
        send_due()
        assert look() == 1
    assert troubles() == []


def test_it_is_on_record_once_and_so_is_its_end(api: AgentClient) -> None:
    api.submit()
    look_later(minutes=3)
    look_later(minutes=4)
    publish_events()
    look()

    kinds = [Kind.TROUBLE_BEGAN, Kind.TROUBLE_ENDED]
    events = Event.objects.filter(kind__in=kinds).order_by("id")
    assert [event.kind for event in events] == kinds
    assert "Events wait since 3 minutes" in events[0].data["words"]


def test_what_mails_suffer_from_is_not_told_by_mail(
    api: AgentClient, alice: User, settings: Settings, mail_server: MailServer
) -> None:
    root = make_user("root", is_superuser=True)
    with webserver.running() as server:
        settings.APPRISE_URLS = {"desk": f"json://127.0.0.1:{server.port}"}
        Place.objects.create(title="Desk", channel="other", address="desk")
        mail_server.at_address = lambda to: "550 No such user"
        api.submit()
        publish_events()
        send_due()
        assert look() == 1
        publish_events()
        send_due()

    assert told(root) == {("in_app", Kind.TROUBLE_BEGAN)}
    assert told(alice) == set()
    [call] = server.calls
    assert b"Something is stuck" in call.body


def test_what_is_mended_is_told(
    api: AgentClient, alice: User, mail_server: MailServer
) -> None:
    mail_server.at_address = lambda to: "550 No such user"
    api.submit()
    publish_events()
    send_due()
    look()
    mail_server.at_address = lambda to: None
    api.submit(params={"customer_id": "C-8"})
    publish_events()
    send_due()

    assert look() == 1
    assert troubles() == []


def test_a_group_is_not_bothered_with_it(api: AgentClient, alice: User) -> None:
    place = Place.objects.create(
        title="Desk", channel="email", address="a@b.example", group=alice.groups.get()
    )
    look_later(minutes=3)
    api.submit()
    look_later(minutes=3)
    publish_events()

    about = Delivery.objects.filter(event__kind=Kind.TROUBLE_BEGAN)
    assert not about.filter(place=place).exists()


def test_metrics_tell(api: AgentClient) -> None:
    api.submit()
    look_later(minutes=3)

    text = Client().get("/metrics").content.decode()
    assert 'countersign_trouble{kind="unpublished",subject=""} 1.0' in text


@pytest.fixture
def monitor(settings: Settings) -> Iterator[WebServer]:
    with webserver.running() as server:
        settings.HEARTBEAT_URL = server.url
        yield server


def test_an_outside_monitor_hears_as_long_as_all_is_well(
    api: AgentClient, monitor: WebServer
) -> None:
    look()
    assert len(monitor.calls) == 1

    api.submit()
    look_later(minutes=3)
    assert len(monitor.calls) == 1


def test_a_monitor_that_is_away_is_no_trouble(monitor: WebServer) -> None:
    monitor.answer = lambda call: Answer(500)

    assert look() == 0


def test_pages_of_those_who_run_it_say_so(api: AgentClient, alice: User) -> None:
    api.submit()
    look_later(minutes=3)
    root = make_user("root", is_superuser=True)

    page = reverse("admin:index")
    assert "Events wait since 3 minutes" in browser(root).get(page).content.decode()
    assert "Events wait" not in browser(alice).get(page).content.decode()


@pytest.mark.parametrize(("minutes", "said"), [(0, False), (3, True)])
def test_pages_say_that_no_worker_runs(minutes: int, said: bool) -> None:
    last = clock.now() - timedelta(minutes=minutes)
    JobRun.objects.update_or_create(
        job=queue.HEARTBEAT, defaults={"last_run_at": last, "next_at": last}
    )
    root = make_user("root", is_superuser=True)

    page = browser(root).get(reverse("admin:index")).content.decode()
    assert ("No worker has run for 3 minutes" in page) == said
