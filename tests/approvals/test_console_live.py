"""The page asks what has changed: it hears of everything, and pays little for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from approvals import services
from approvals.console import live, looks
from approvals.models import ApprovalRequest, Look, Vote
from governance import clock
from governance.models import Agent, Event, User
from tests.approvals.factories import QUEUE, browser, make_request, page_of

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


class Reader:
    """Somebody who has the queue open, and whose page goes on asking."""

    def __init__(self, person: User, **query: str) -> None:
        self.client, self.query = browser(person), query
        self.mark = self.client.get(QUEUE, query).context["cl"].mark

    def ask(self, mark: str | None = None) -> Any:
        params = {**self.query, "mark": self.mark if mark is None else mark}
        answer = self.client.get(f"{QUEUE}live/", params, headers=HTMX)
        if answer.status_code == 200:
            self.mark = answer.context["cl"].mark
        return answer

    def hears(self) -> bool:
        return bool(self.ask().status_code == 200)


def test_nothing_new_is_nothing(refund: ApprovalRequest, alice: User) -> None:
    reader = Reader(alice)

    answer = reader.ask()
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_decision_is_news_once(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    reader = Reader(alice)
    services.decide(refund, bob, Vote.Verdict.REJECT, digest=refund.digest)

    answer = reader.ask()
    assert answer.status_code == 200
    assert str(refund.pk) not in answer.content.decode()
    assert not reader.hears()


def test_what_it_brings_is_a_list_and_what_counts(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    reader = Reader(alice)
    make_request(agent, customer_id="C-9")

    page = reader.ask().content.decode()
    assert page.count("data-pk") == 2
    assert '<span id="queue-badge" hx-swap-oob="true">2</span>' in page
    assert 'id="queue-tabs" hx-swap-oob="innerHTML"' in page
    assert "<html" not in page


def test_claiming_snoozing_and_looking_are_news(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    reader = Reader(alice)
    services.claim(refund, bob)
    assert reader.hears()
    services.snooze(refund, alice, clock.now() + timedelta(hours=1))
    assert reader.hears()
    browser(bob).post(f"{page_of(refund).removesuffix('change/')}look/")
    assert reader.hears()
    assert not reader.hears()


def test_what_agents_do_by_themselves_is_no_news(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    reader = Reader(alice)
    before = Event.objects.count()
    services.submit(
        agent,
        services.Proposal("refund.create", {"customer_id": "C-1", "amount": 5}, None),
    )

    assert Event.objects.count() > before
    assert not reader.hears()


def test_an_event_that_commits_late_is_news(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    with clock.shifted(timedelta(seconds=-3)):
        services.claim(refund, bob)
    late = Event.objects.filter(kind="claimed").values("pk")
    at = clock.now()
    everything = live._state(at, at)

    # The page was read while that one had not been committed yet.
    mark = f"{at.isoformat()}~0-0~{looks.mark(at)}"
    assert late.exists()
    assert everything != mark.partition("~")[2]
    assert not live.is_current(mark, at)


def test_a_page_is_read_anew_after_a_minute(
    refund: ApprovalRequest, alice: User
) -> None:
    reader = Reader(alice)
    with clock.shifted(timedelta(seconds=50)):
        assert not reader.hears()
    with clock.shifted(timedelta(seconds=70)):
        assert reader.hears()


@pytest.mark.parametrize(
    "mark",
    ["", "~", "x~1-1~0-0", "2026-01-01~0-0~0-0", "9999-12-31T23:59:59+00:00~", "\x00"],
)
def test_a_mark_that_makes_no_sense_brings_the_list(
    refund: ApprovalRequest, alice: User, mark: str
) -> None:
    assert Reader(alice).ask(mark).status_code == 200


def test_it_keeps_to_the_tab_and_the_filters(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    reader = Reader(alice, show="all", risk="critical")

    page = reader.ask("").content.decode()
    assert str(refund.pk) not in page
    assert "show=all&amp;risk=critical" in page


def test_whoever_is_logged_out_is_told_beside_the_list(
    refund: ApprovalRequest, alice: User
) -> None:
    reader = Reader(alice, show="all")
    reader.client.logout()

    answer = reader.ask()
    assert answer.status_code == live.STOP
    assert answer["HX-Reswap"] == "none"
    page = answer.content.decode()
    assert "you have been logged out" in page
    assert "next=%2Fadmin%2Fapprovals%2Fapprovalrequest%2F%3Fshow%3Dall" in page
    assert "password" not in page


def test_it_shows_nothing_to_those_who_may_not_look(
    refund: ApprovalRequest, alice: User, charlie: User
) -> None:
    reader = Reader(alice)
    reader.client = browser(charlie)

    assert reader.ask("").status_code == live.STOP


def test_it_is_for_pages_that_are_shown(refund: ApprovalRequest, alice: User) -> None:
    assert browser(alice).get(f"{QUEUE}live/").status_code == 302
    assert Client().post(f"{QUEUE}live/").status_code == 405


def test_asking_costs_little(refund: ApprovalRequest, alice: User) -> None:
    reader = Reader(alice)
    with CaptureQueriesContext(connection) as asked:
        reader.ask()

    # Session, person, events, looks, and on PostgreSQL the time.
    assert len(asked) <= 5


# Who looks


def look(person: User, request: ApprovalRequest) -> Any:
    return browser(person).post(f"{page_of(request).removesuffix('change/')}look/")


def test_a_page_says_who_else_has_it_open(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    assert b"looking" not in look(alice, refund).content
    assert b"alice is looking at it" in look(bob, refund).content.replace(
        b'<bdi dir="ltr">', b""
    )
    assert looks.others([refund], alice, clock.now()) == {
        refund.pk: "bob is looking at it"
    }


def test_whoever_is_silent_has_gone(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    look(alice, refund)
    with clock.shifted(looks.PRESENT + timedelta(seconds=1)):
        assert looks.others([refund], bob, clock.now()) == {}
        assert b"looking" not in look(bob, refund).content


def test_whoever_closes_the_page_has_gone_at_once(
    refund: ApprovalRequest, alice: User, bob: User, charlie: User
) -> None:
    look(alice, refund)
    look(bob, refund)
    address = f"{page_of(refund).removesuffix('change/')}look/"

    assert browser(charlie).post(address, {"left": "1"}).status_code == 403
    assert browser(alice).post(address, {"left": "1"}).status_code == 204
    assert looks.others([refund], bob, clock.now()) == {}
    assert Look.objects.get().person == bob


def test_nobody_looks_at_what_is_decided(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    look(bob, refund)
    services.decide(refund, alice, Vote.Verdict.REJECT, digest=refund.digest)

    assert looks.others([refund], alice, clock.now()) == {}


def test_one_person_leaves_one_row_and_old_ones_go(
    refund: ApprovalRequest, agent: Agent, alice: User, bob: User
) -> None:
    for _ in range(3):
        look(alice, refund)
    assert Look.objects.count() == 1

    with clock.shifted(looks.FORGOTTEN + timedelta(seconds=1)):
        look(bob, refund)
    assert Look.objects.get().person == bob


def test_those_who_said_so_and_those_who_are_there_are_named_together(
    refund: ApprovalRequest, alice: User, bob: User, carol: User
) -> None:
    services.claim(refund, bob)
    Look.objects.create(request=refund, person=carol, seen_at=clock.now())
    Look.objects.create(request=refund, person=bob, seen_at=clock.now())

    at = clock.now()
    said = looks.others([refund], alice, at)[refund.pk]
    assert said == "bob and carol are looking at it"
    said = looks.others([refund], bob, at)[refund.pk]
    assert said == "You and carol are looking at it"


def test_nobody_looks_at_what_they_may_not_see(
    refund: ApprovalRequest, carol: User, charlie: User
) -> None:
    assert look(carol, refund).status_code == 404
    assert look(charlie, refund).status_code == 403
    assert not Look.objects.exists()


def test_reading_an_address_says_nothing(refund: ApprovalRequest, alice: User) -> None:
    address = f"{page_of(refund).removesuffix('change/')}look/"
    assert browser(alice).get(address).status_code == 405
    assert not Look.objects.exists()
