"""From events to deliveries: everyone who should hear of it does, once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from approvals import services
from approvals.jobs import settle_due
from approvals.models import ApprovalRequest, Vote
from governance import clock, ledger
from governance.ledger import SYSTEM, Kind
from governance.models import Agent, Event, PendingEvent, User
from notifications import audience, outbox
from notifications.jobs import publish_events
from notifications.models import Delivery, Preference, Rota
from policies import services as rules
from policies.bodies import Subject
from tests.cast import AgentClient, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]

IN_APP, EMAIL = "in_app", "email"
APPROVE, REJECT = Vote.Verdict.APPROVE, Vote.Verdict.REJECT


def told(kind: Kind) -> list[tuple[str, str]]:
    rows = Delivery.objects.filter(event__kind=kind)
    return sorted(rows.values_list("person__username", "channel"))


def decide(person: User, verdict: Vote.Verdict) -> None:
    request = ApprovalRequest.objects.get()
    services.decide(request, person, verdict, digest=request.digest)


def pass_time(**fields: int) -> None:
    with clock.shifted(timedelta(**fields)):
        settle_due()
        publish_events()


def test_those_who_are_asked_hear_in_the_console_and_by_mail(
    api: AgentClient, alice: User, bob: User, carol: User
) -> None:
    api.submit()
    publish_events()

    assert told(Kind.STAGE_OPENED) == [
        ("alice", EMAIL),
        ("alice", IN_APP),
        ("bob", EMAIL),
        ("bob", IN_APP),
    ]


def test_it_is_on_the_record_who_was_told(api: AgentClient, alice: User) -> None:
    answer = api.submit()
    publish_events()

    event = Event.objects.get(kind=Kind.NOTIFIED)
    assert str(event.action_id) == answer["id"]
    assert event.data["about"] == Kind.STAGE_OPENED
    assert (event.data["channel"], event.data["people"]) == (IN_APP, ["alice"])


def test_nobody_is_asked_about_their_own_agent(
    api: AgentClient, agent: Agent, alice: User, bob: User
) -> None:
    Agent.objects.filter(pk=agent.pk).update(owner=alice)
    api.submit()
    publish_events()

    assert told(Kind.STAGE_OPENED) == [("bob", EMAIL), ("bob", IN_APP)]


def test_people_without_an_address_hear_in_the_console(
    api: AgentClient, managers: Group
) -> None:
    make_user("dora", managers, email="")
    api.submit()
    publish_events()

    assert told(Kind.STAGE_OPENED) == [("dora", IN_APP)]


def test_people_who_were_switched_off_hear_nothing(
    api: AgentClient, managers: Group, alice: User
) -> None:
    make_user("dora", managers, is_active=False)
    api.submit()
    publish_events()

    assert told(Kind.STAGE_OPENED) == [("alice", EMAIL), ("alice", IN_APP)]


def test_each_mark_of_the_clock_is_told(
    api: AgentClient, alice: User, carol: User
) -> None:
    api.submit()
    pass_time(minutes=16)
    pass_time(hours=5)
    pass_time(hours=9)

    assert told(Kind.SLA_BREACHED) == [("alice", EMAIL), ("alice", IN_APP)]
    assert told(Kind.ESCALATED) == [
        ("alice", EMAIL),
        ("alice", IN_APP),
        ("carol", EMAIL),
        ("carol", IN_APP),
    ]
    assert told(Kind.EXPIRED) == [("alice", IN_APP), ("carol", IN_APP)]


def test_a_decision_by_silence_is_told_like_any_other(
    api: AgentClient, managers: Group, alice: User
) -> None:
    terms = {"timeout": "1h", "on_timeout": "approve", "auto_approve_max_risk": 100}
    stage = {"name": "Manager", "groups": [managers.name], **terms}
    rules.save(Subject.FLOW, {"name": "managers", "stages": [stage]})
    api.submit()
    pass_time(minutes=61)

    assert told(Kind.APPROVED) == [("alice", IN_APP)]
    assert not PendingEvent.objects.exists()


def test_who_has_answered_is_not_asked_again(
    api: AgentClient, alice: User, bob: User
) -> None:
    api.submit()
    ApprovalRequest.objects.get().stages.update(needed=2)
    decide(alice, APPROVE)
    pass_time(minutes=16)

    assert told(Kind.SLA_BREACHED) == [("bob", EMAIL), ("bob", IN_APP)]


def test_who_has_not_answered_is_reminded(
    api: AgentClient, managers: Group, alice: User, bob: User, carol: User
) -> None:
    chain = [
        {"after": "30m", "do": "remind"},
        {"after": "1h", "do": "escalate", "to": ["finance"]},
        {"after": "2h", "do": "remind"},
        {"after": "8h", "do": "reject"},
    ]
    stage = {"name": "Manager", "groups": [managers.name], "approvals": 3}
    rules.save(
        Subject.FLOW, {"name": "managers", "stages": [{**stage, "silence": chain}]}
    )
    api.submit()
    decide(alice, APPROVE)
    pass_time(minutes=31)
    assert told(Kind.REMINDED) == [("bob", EMAIL), ("bob", IN_APP)]

    pass_time(minutes=125)
    both = Delivery.objects.filter(event__kind=Kind.REMINDED, channel=IN_APP)
    names = both.order_by("pk").values_list("person__username", flat=True)
    assert (names[0], set(names[1:])) == ("bob", {"bob", "carol"})


def test_the_outcome_is_told_to_the_others(
    api: AgentClient, agent: Agent, alice: User, bob: User, charlie: User, carol: User
) -> None:
    Agent.objects.filter(pk=agent.pk).update(owner=charlie)
    api.submit()
    decide(alice, REJECT)
    publish_events()

    assert told(Kind.REJECTED) == [("bob", IN_APP)]


def test_an_owner_hears_of_their_own_agent_if_they_ask_to(
    api: AgentClient, agent: Agent, alice: User, charlie: User
) -> None:
    Agent.objects.filter(pk=agent.pk).update(owner=charlie)
    Preference.objects.create(person=charlie, own_agents=True)
    api.submit()
    decide(alice, REJECT)
    publish_events()

    assert told(Kind.REJECTED) == [("charlie", IN_APP)]


def test_an_answer_that_came_first_does_not_leave_the_record_silent(
    api: AgentClient, alice: User
) -> None:
    api.submit()
    decide(alice, APPROVE)
    publish_events()

    assert (("alice", IN_APP)) in told(Kind.STAGE_OPENED)
    assert told(Kind.UNREACHABLE) == []


def test_administrators_hear_at_once_that_nobody_can_decide(api: AgentClient) -> None:
    make_user("root", is_superuser=True)
    api.submit()
    publish_events()

    assert told(Kind.UNREACHABLE) == [("root", EMAIL), ("root", IN_APP)]
    assert Event.objects.filter(kind=Kind.UNREACHABLE).count() == 1


def test_administrators_hear_when_everyone_has_left_since(
    api: AgentClient, alice: User
) -> None:
    make_user("root", is_superuser=True)
    api.submit()
    publish_events()
    User.objects.filter(pk=alice.pk).update(is_active=False)
    pass_time(minutes=16)
    pass_time(hours=5)

    assert told(Kind.UNREACHABLE) == [("root", EMAIL), ("root", IN_APP)]


def test_what_policies_allowed_is_nobodys_news(api: AgentClient, alice: User) -> None:
    api.submit(10)
    pass_time(hours=2)

    assert Event.objects.filter(kind=Kind.EXPIRED).exists()
    assert not Delivery.objects.exists()


def test_the_same_event_twice_is_one_delivery(api: AgentClient, alice: User) -> None:
    api.submit()
    pending = PendingEvent.objects.get()
    publish_events()
    PendingEvent.objects.create(event=pending.event, reader=pending.reader)
    publish_events()

    assert not PendingEvent.objects.exists()
    assert told(Kind.STAGE_OPENED) == [("alice", EMAIL), ("alice", IN_APP)]
    assert Event.objects.filter(kind=Kind.NOTIFIED).count() == 1


def test_an_event_that_cannot_be_published_holds_up_no_other(
    api: AgentClient, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    request: Any = api.submit() and ApprovalRequest.objects.get().pk
    ledger.record(Kind.HELD, at=clock.now(), actor=SYSTEM, request=str(request))
    api.submit(80, params={"customer_id": "C-8"})

    assert publish_events() == 2
    assert publish_events() == 0
    assert PendingEvent.objects.get().event.kind == Kind.HELD
    assert len(caplog.records) == 1


def test_whoever_opens_the_request_has_read_about_it(
    api: AgentClient, alice: User, bob: User
) -> None:
    api.submit()
    publish_events()
    services.view(ApprovalRequest.objects.get(), alice)
    publish_events()

    assert not Delivery.objects.unread(alice).exists()
    assert Delivery.objects.unread(bob).exists()


@pytest.mark.django_db(transaction=True)
def test_two_workers_publish_an_event_once(
    api: AgentClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.submit()
    pending = PendingEvent.objects.get().pk
    # Two workers meeting here have both taken the event.
    meeting_point = threading.Barrier(2, timeout=1)
    hearing = audience.hearing

    def hearing_late(*args: Any) -> set[User]:
        with suppress(threading.BrokenBarrierError):
            meeting_point.wait()
        return hearing(*args)

    monkeypatch.setattr(audience, "hearing", hearing_late)

    def publish(_: int) -> bool:
        try:
            return outbox.publish(pending)
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(publish, range(2))) == [False, True]
    assert Event.objects.filter(kind=Kind.NOTIFIED).count() == 1


def test_whose_turn_it_is_hears_first(
    api: AgentClient, managers: Group, alice: User, bob: User
) -> None:
    rota = Rota.objects.create(group=managers, starts_at=clock.now())
    rota.turns.create(person=bob, position=1)
    rota.turns.create(person=alice, position=2)
    api.submit()
    publish_events()

    assert told(Kind.STAGE_OPENED) == [
        ("alice", IN_APP),
        ("bob", EMAIL),
        ("bob", IN_APP),
    ]
    # Once it is late, everybody hears.
    pass_time(minutes=16)
    assert ("alice", EMAIL) in told(Kind.SLA_BREACHED)


def test_the_others_hear_if_whose_turn_it_is_cannot_be_reached(
    api: AgentClient, managers: Group, alice: User, bob: User
) -> None:
    rota = Rota.objects.create(group=managers, starts_at=clock.now())
    rota.turns.create(person=bob, position=1)
    Preference.objects.create(person=bob, email=False)
    api.submit()
    publish_events()

    assert ("alice", EMAIL) in told(Kind.STAGE_OPENED)
