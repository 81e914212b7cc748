"""Claim, snooze, reassign: none of them decides, all of them are on record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from approvals import services
from approvals.errors import NotAllowed, NotOpen
from approvals.models import ApprovalRequest, Snooze, Stage, Vote
from approvals.services import attention, storage
from governance import clock
from governance.errors import Invalid, Refused
from governance.models import Action, Agent, Event, PendingEvent, Status, User
from notifications import audience, outbox
from notifications.models import Delivery
from tests.approvals.test_deciding import ask, asked_groups, decide
from tests.cast import make_user

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def legal(db: None) -> Group:
    return Group.objects.create(name="legal")


@pytest.fixture
def lea(legal: Group) -> User:
    return make_user("lea", legal)


@pytest.fixture
def refund(
    agent: Agent, managers: Group, finance: Group, legal: Group, alice: User
) -> ApprovalRequest:
    """A manager decides; it may go to legal, and on silence to finance as well."""
    return ask(agent, manager_stage())


def manager_stage(**more: Any) -> dict[str, Any]:
    return {
        "name": "Manager",
        "groups": ["customer-service-managers"],
        "reassign_to": ["legal"],
        "on_timeout": "escalate",
        "escalate_to": ["finance"],
        **more,
    }


def pass_on(
    request: ApprovalRequest, who: User, group: str = "legal", reason: str = "Theirs."
) -> None:
    services.reassign(request, who, request.stages.get(position=1), group, reason)


def kinds() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("kind", flat=True))


def looking(request: ApprovalRequest) -> User | None:
    request.refresh_from_db()
    return attention.claimed_by(request, clock.now())


def snoozed(person: User) -> list[ApprovalRequest]:
    return list(ApprovalRequest.objects.snoozed_by(person))


def waiting(person: User) -> list[ApprovalRequest]:
    return list(ApprovalRequest.objects.waiting_for(person))


# None of them is for everybody, or for ever


CALLS: dict[str, Callable[[ApprovalRequest, User], None]] = {
    "claim": services.claim,
    "unclaim": services.unclaim,
    "snooze": lambda request, who: services.snooze(request, who, clock.now() + HOUR),
    "wake": services.wake,
    "reassign": pass_on,
}


@pytest.mark.parametrize("call", CALLS)
def test_only_for_those_who_could_decide(
    refund: ApprovalRequest, charlie: User, lea: User, call: str
) -> None:
    before = kinds()
    for person in (charlie, lea):
        with pytest.raises(NotAllowed):
            CALLS[call](refund, person)
    assert kinds() == before


@pytest.mark.parametrize("call", CALLS)
def test_not_once_it_is_settled(
    refund: ApprovalRequest, alice: User, bob: User, call: str
) -> None:
    decide(refund, bob)
    before = kinds()

    with pytest.raises(NotOpen, match="approved already: bob decided"):
        CALLS[call](refund, alice)
    assert kinds() == before


@pytest.mark.parametrize("call", CALLS)
def test_not_after_the_deadline_though_no_worker_ran(
    refund: ApprovalRequest, alice: User, call: str
) -> None:
    with clock.shifted(9 * HOUR), pytest.raises(Refused) as refusal:
        CALLS[call](refund, alice)

    assert refusal.value.code == "expired"


@pytest.mark.parametrize("call", ["claim", "snooze", "reassign"])
def test_it_decides_nothing_and_moves_no_deadline(
    refund: ApprovalRequest, alice: User, lea: User, call: str
) -> None:
    before = Action.objects.get()
    CALLS[call](refund, alice)
    after = Action.objects.get()

    assert (after.status, after.deadline_at, after.due_at) == (
        Status.PENDING,
        before.deadline_at,
        before.due_at,
    )
    assert not Vote.objects.exists()


# Claim


def test_a_claim_is_seen_for_a_quarter_of_an_hour(
    refund: ApprovalRequest, alice: User
) -> None:
    services.claim(refund, alice)

    assert looking(refund) == alice
    with clock.shifted(attention.CLAIM):
        assert looking(refund) is None
    assert kinds()[-1] == "claimed"


def test_a_claim_keeps_nobody_from_deciding(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    services.claim(refund, alice)

    assert decide(refund, bob).status == Status.APPROVED
    assert looking(refund) is None


def test_the_next_claim_takes_over(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    services.claim(refund, alice)
    services.claim(refund, bob)

    assert looking(refund) == bob
    claims = Event.objects.filter(kind="claimed").order_by("pk")
    assert [claim.data["instead_of"] for claim in claims] == [None, "alice"]
    with pytest.raises(NotAllowed, match="bob is looking at it, not you"):
        services.unclaim(refund, alice)


def test_letting_go_twice_is_letting_go_once(
    refund: ApprovalRequest, alice: User
) -> None:
    services.claim(refund, alice)
    services.unclaim(refund, alice)
    services.unclaim(refund, alice)

    assert looking(refund) is None
    assert kinds().count("released") == 1


def test_a_claim_ends_with_the_decision(
    agent: Agent, refund: ApprovalRequest, alice: User
) -> None:
    refund.stages.update(needed=2)
    services.claim(refund, alice)
    decide(refund, alice)

    assert looking(refund) is None


# Snooze


def test_a_snooze_leaves_it_out_of_ones_own_queue_only(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    services.snooze(refund, alice, clock.now() + HOUR)

    assert (waiting(alice), snoozed(alice), waiting(bob)) == ([], [refund], [refund])
    with clock.shifted(HOUR + HOUR / 60):
        assert (waiting(alice), snoozed(alice)) == ([refund], [])
    assert decide(refund, alice).status == Status.APPROVED


def test_a_snooze_can_be_changed_and_ended(
    refund: ApprovalRequest, alice: User
) -> None:
    services.snooze(refund, alice, clock.now() + HOUR)
    services.snooze(refund, alice, clock.now() + 2 * HOUR)
    assert Snooze.objects.count() == 1
    services.wake(refund, alice)
    services.wake(refund, alice)

    assert waiting(alice) == [refund]
    said = Event.objects.filter(kind="snoozed").order_by("pk")
    assert [bool(event.data["until"]) for event in said] == [True, True, False]


@pytest.mark.parametrize("hours", [-1, 0, 5])
def test_a_snooze_ends_ahead_and_before_silence_decides(
    refund: ApprovalRequest, alice: User, hours: int
) -> None:
    with pytest.raises(Invalid) as refusal:
        services.snooze(refund, alice, clock.now() + hours * HOUR)

    assert refusal.value.code == "snooze_until"


# Reassign


def test_it_goes_to_the_other_group_and_to_nobody_else(
    refund: ApprovalRequest, alice: User, bob: User, lea: User
) -> None:
    pass_on(refund, alice)

    assert asked_groups(refund) == {"legal"}
    assert (waiting(alice), waiting(lea)) == ([], [refund])
    said = Event.objects.get(kind="reassigned").data
    assert (said["groups"], said["instead_of"]) == (
        ["legal"],
        ["customer-service-managers"],
    )
    assert said["reason"] == "Theirs."
    # Those who had it may still look, and no longer decide
    assert ApprovalRequest.objects.visible_to(bob).exists()
    with pytest.raises(NotAllowed):
        decide(refund, bob)
    assert decide(refund, lea).status == Status.APPROVED


def test_the_new_group_is_told(
    refund: ApprovalRequest, alice: User, bob: User, lea: User
) -> None:
    pass_on(refund, alice)
    event = Event.objects.get(kind="reassigned")
    refund.refresh_from_db()

    assert audience.hearing(event, refund) == {lea}
    assert audience.may_hear(Delivery(event=event, person=lea), refund)
    assert not audience.may_hear(Delivery(event=event, person=bob), refund)
    pending = PendingEvent.objects.get(event=event)
    assert outbox.publish(pending.pk)
    assert event.deliveries.filter(person=lea, channel="email").exists()


def test_it_may_go_where_silence_would_send_it(
    refund: ApprovalRequest, alice: User, carol: User
) -> None:
    pass_on(refund, alice, "finance")
    assert waiting(carol) == [refund]


@pytest.mark.parametrize("group", ["friends", "customer-service-managers", ""])
def test_it_goes_to_no_friends(
    refund: ApprovalRequest, alice: User, lea: User, group: str
) -> None:
    Group.objects.create(name="friends")
    with pytest.raises(NotAllowed, match="It can go to legal or finance"):
        pass_on(refund, alice, group)
    with pytest.raises(Invalid, match="Say why"):
        pass_on(refund, alice, reason=" ")
    assert asked_groups(refund) == {"customer-service-managers"}


def test_where_there_is_nowhere_to_send_it(
    agent: Agent, managers: Group, alice: User
) -> None:
    request = ask(agent, {"name": "Manager", "groups": [managers.name]})
    with pytest.raises(NotAllowed, match="names nobody else for this stage"):
        pass_on(request, alice)


def test_only_a_stage_that_is_ones_own(
    agent: Agent, managers: Group, finance: Group, legal: Group, alice: User
) -> None:
    request = ask(
        agent,
        manager_stage(step=1),
        {"name": "F", "groups": ["finance"], "step": 1, "reassign_to": ["legal"]},
        {"name": "L", "groups": ["customer-service-managers"], "step": 2},
    )
    for stage in request.stages.filter(position__gt=1):
        with pytest.raises(NotAllowed):
            services.reassign(request, alice, stage, "legal", "Theirs.")


def test_not_two_stages_to_one_person(
    agent: Agent, managers: Group, finance: Group, legal: Group, alice: User, bob: User
) -> None:
    make_user("only", legal)
    request = ask(
        agent,
        manager_stage(step=1),
        manager_stage(step=1, name="Again"),
    )
    first, second = request.stages.order_by("position")
    services.reassign(request, alice, first, "legal", "Theirs.")

    with pytest.raises(
        NotAllowed, match="and other stages need them; the stage needs 1"
    ):
        services.reassign(request, bob, second, "legal", "Theirs, too.")


def test_where_nobody_can_decide_it_does_not_go(
    refund: ApprovalRequest, alice: User
) -> None:
    with pytest.raises(NotAllowed, match="legal has 0 people who can decide this"):
        pass_on(refund, alice)
    assert asked_groups(refund) == {"customer-service-managers"}


def test_what_was_said_by_others_counts_no_more(
    agent: Agent, managers: Group, finance: Group, legal: Group, lea: User, alice: User
) -> None:
    bob = make_user("bob", managers, legal)
    luc = make_user("luc", legal)
    request = ask(agent, manager_stage(approvals=3))
    decide(request, alice)
    decide(request, bob)
    cid = make_user("cid", managers, legal)
    pass_on(request, cid)

    # At once, and bob, who is in both, still counts.
    stage = Stage.objects.get()
    course = storage.read(request.action_id)
    assert (stage.lapsed, course.progress()) == ([alice.pk], (1, 3))
    assert decide(request, lea).status == Status.PENDING
    assert decide(request, luc).status == Status.APPROVED


def test_a_stand_in_passes_on_in_the_name_of_whom_they_stand_for(
    refund: ApprovalRequest, alice: User, charlie: User, lea: User
) -> None:
    services.delegate(alice, charlie, ends_at=clock.now() + HOUR)
    pass_on(refund, charlie)

    event = Event.objects.get(kind="reassigned")
    assert (event.actor_name, event.data["on_behalf_of"]) == ("charlie", "alice")
