"""Handing over a queue: who may decide for whom, and what nobody gets around by it."""

from __future__ import annotations

from datetime import timedelta
from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals import authority, deciders, services
from approvals.api.representation import action_data
from approvals.errors import AlreadyVoted, NotAllowed
from approvals.models import ApprovalRequest, Delegation, Vote
from approvals.services import delegation as handing_over
from approvals.services import review, storage
from governance import clock
from governance.errors import Invalid, Refused
from governance.models import Action, Agent, Event, Status, User
from notifications import audience
from tests.approvals.factories import make_request
from tests.approvals.test_deciding import ask, decide
from tests.approvals.test_races import at_once, meet_in
from tests.cast import make_user
from tests.pages import permit

pytestmark = pytest.mark.django_db
APPROVE, REJECT = Vote.Verdict.APPROVE, Vote.Verdict.REJECT
DAY = timedelta(days=1)


@pytest.fixture
def refund(agent: Agent, managers: Group) -> ApprovalRequest:
    return ask(agent, {"name": "Manager", "groups": [managers.name]})


@pytest.fixture
def dave(db: None) -> User:
    return make_user("dave")


def hand_over(person: User, to: User, **more: Any) -> Delegation:
    begin = more.pop("after", timedelta(0))
    at = clock.now() + begin
    times = {"starts_at": at, "ends_at": at + more.pop("lasts", DAY)}
    return services.delegate(person, to, **times, **more)


def two(agent: Agent, managers: Group) -> ApprovalRequest:
    return ask(agent, {"name": "Two", "groups": [managers.name], "approvals": 2})


def waiting(person: User) -> list[ApprovalRequest]:
    return list(ApprovalRequest.objects.waiting_for(person))


def test_the_stand_in_decides_and_is_named_with_whom_they_stand_for(
    refund: ApprovalRequest, alice: User, dave: User
) -> None:
    with pytest.raises(NotAllowed):
        decide(refund, dave)
    hand_over(alice, dave, reason="Holidays.")

    assert decide(refund, dave).status == Status.APPROVED
    vote = Vote.objects.get()
    assert (vote.person, vote.seat, vote.by) == (dave, alice, "dave for alice")
    voted = Event.objects.get(kind="voted")
    assert (voted.actor_name, voted.data["on_behalf_of"]) == ("dave", "alice")
    shown = action_data(storage.read(refund.action_id))
    assert shown["approval"]["decisions"][0]["by"] == "dave for alice"


def test_it_is_on_record_when_it_begins_and_when_it_ends(
    alice: User, dave: User
) -> None:
    delegation = hand_over(alice, dave, reason="Holidays.", author=alice)
    services.end_delegation(delegation, alice)
    services.end_delegation(delegation, alice)

    began = Event.objects.get(kind="delegated")
    assert (began.stream, began.actor_name) == ("user:alice", "alice")
    assert (began.data["person"], began.data["to"]) == ("alice", "dave")
    assert began.data["reason"] == "Holidays."
    assert Event.objects.filter(kind="delegation_ended").count() == 1


@pytest.mark.parametrize(
    ("after", "at", "may"),
    [
        (timedelta(0), timedelta(0), True),
        (timedelta(hours=1), timedelta(0), False),
        (timedelta(hours=1), timedelta(hours=1), True),
        (timedelta(0), timedelta(hours=3), False),
    ],
)
def test_it_holds_for_its_time_only(
    refund: ApprovalRequest,
    alice: User,
    dave: User,
    after: timedelta,
    at: timedelta,
    may: bool,
) -> None:
    hand_over(alice, dave, after=after, lasts=timedelta(hours=2))

    with clock.shifted(at):
        course = storage.read(refund.action_id)
        found = authority.standing(course, refund, dave, clock.now())
        seen = ApprovalRequest.objects.visible_to(dave).exists()
    assert (found.may, seen) == (may, may)


def test_a_right_is_used_once_whoever_uses_it(
    agent: Agent, managers: Group, alice: User, bob: User, dave: User
) -> None:
    request = two(agent, managers)
    hand_over(alice, dave)
    decide(request, dave)

    with pytest.raises(AlreadyVoted, match="dave has decided for you"):
        decide(request, alice)
    assert decide(request, bob).status == Status.APPROVED


def test_nor_is_it_used_again_by_the_stand_in(
    agent: Agent, managers: Group, alice: User, dave: User
) -> None:
    request = two(agent, managers)
    hand_over(alice, dave)
    decide(request, alice)

    with pytest.raises(NotAllowed, match="has decided already"):
        decide(request, dave)


def test_one_person_is_one_however_many_rights_they_hold(
    agent: Agent, managers: Group, alice: User, bob: User
) -> None:
    request = two(agent, managers)
    hand_over(alice, bob)

    assert decide(request, bob).status == Status.PENDING
    assert Vote.objects.get().seat == bob
    with pytest.raises(AlreadyVoted):
        decide(request, bob, REJECT)
    # Her right is still her own.
    assert waiting(alice) == [request]
    assert decide(request, alice).status == Status.APPROVED


def test_the_agents_owner_decides_for_nobody(
    agent: Agent, refund: ApprovalRequest, alice: User, dave: User
) -> None:
    hand_over(alice, dave)
    agent.owner = dave
    agent.save()

    with pytest.raises(NotAllowed, match="own this agent"):
        decide(refund, dave)
    # It comes back to whom it was handed over by: nobody else would see it.
    assert (waiting(dave), waiting(alice)) == ([], [refund])


@pytest.mark.parametrize("owner", ["alice", "bob", "carol"])
def test_the_agents_owner_hands_it_to_nobody(
    agent: Agent,
    refund: ApprovalRequest,
    alice: User,
    bob: User,
    carol: User,
    dave: User,
    managers: Group,
    owner: str,
) -> None:
    # carol arranges it; bob is in the middle; alice's is the right.
    permit(carol, "approvals.delegate_for_others")
    bob.groups.clear()
    hand_over(alice, bob, author=carol)
    hand_over(bob, dave)
    agent.owner = {"alice": alice, "bob": bob, "carol": carol}[owner]
    agent.save()

    with pytest.raises(NotAllowed):
        decide(refund, dave)
    assert waiting(dave) == []


def test_a_chain_reaches_its_end(
    refund: ApprovalRequest, alice: User, carol: User, dave: User
) -> None:
    hand_over(alice, carol)
    hand_over(carol, dave)

    assert waiting(dave) == [refund]
    assert waiting(carol) == waiting(alice) == []
    decide(refund, dave)
    assert Vote.objects.get().by == "dave for alice"


def test_a_chain_ends_at_somebody_who_was_switched_off(
    refund: ApprovalRequest, alice: User, carol: User, dave: User
) -> None:
    hand_over(alice, carol)
    hand_over(carol, dave)
    User.objects.filter(pk=carol.pk).update(is_active=False)

    with pytest.raises(NotAllowed):
        decide(refund, dave)
    assert waiting(alice) == [refund]


@pytest.mark.parametrize("who", ["person", "seat"])
def test_both_must_have_the_right_until_the_last_vote(
    agent: Agent, managers: Group, finance: Group, carol: User, who: str
) -> None:
    request = ask(
        agent,
        {"name": "Manager", "groups": [managers.name]},
        {"name": "Finance", "groups": [finance.name]},
    )
    ann, dan = make_user("ann", managers), make_user("dan")
    hand_over(ann, dan)
    decide(request, dan)
    if who == "seat":
        ann.groups.clear()
    else:
        User.objects.filter(pk=dan.pk).update(is_active=False)

    assert decide(request, carol).status == Status.PENDING
    stage = request.stages.get(name="Manager")
    assert (stage.state, stage.lapsed) == ("open", [ann.pk])


def test_a_vote_outlives_the_delegation_it_was_given_under(
    agent: Agent, managers: Group, alice: User, bob: User, dave: User
) -> None:
    request = two(agent, managers)
    delegation = hand_over(alice, dave)
    decide(request, dave)
    services.end_delegation(delegation)

    assert decide(request, bob).status == Status.APPROVED


def test_what_was_waiting_before_moves_too_and_comes_back(
    refund: ApprovalRequest, alice: User, dave: User
) -> None:
    assert (waiting(alice), waiting(dave)) == ([refund], [])
    delegation = hand_over(alice, dave)
    assert (waiting(alice), waiting(dave)) == ([], [refund])
    # She is still free to decide.
    course = storage.read(refund.action_id)
    assert authority.standing(course, refund, alice, clock.now()).may

    services.end_delegation(delegation, dave)
    assert (waiting(alice), waiting(dave)) == ([refund], [])
    assert not ApprovalRequest.objects.visible_to(dave).exists()


def test_a_stand_in_sees_what_was_open_since_and_nothing_before(
    agent: Agent, managers: Group, alice: User, bob: User, dave: User
) -> None:
    former = ask(agent, {"name": "Manager", "groups": [managers.name]})
    decide(former, bob)
    hand_over(alice, dave)
    course, _ = services.submit(
        agent, services.Proposal("refund.create", {"amount": 2})
    )
    assert course.request
    decide(course.request, bob)

    assert list(ApprovalRequest.objects.visible_to(dave)) == [course.request]


# Who may hand over, to whom, for how long


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ({"lasts": -DAY}, "end after it begins"),
        ({"lasts": 91 * DAY}, "90 days"),
        ({"after": 91 * DAY}, "90 days"),
        ({"reason": "x" * 501}, "under 500"),
    ],
)
def test_it_has_limits(
    alice: User, dave: User, times: dict[str, Any], why: str
) -> None:
    with pytest.raises(Invalid, match=why):
        hand_over(alice, dave, **times)
    assert not Delegation.objects.exists()


def test_only_people_who_can_log_in_take_part(alice: User) -> None:
    for field in ("is_active", "is_staff"):
        other = make_user(field, **{field: False})
        with pytest.raises(Invalid, match="cannot log in"):
            hand_over(alice, other)
    with pytest.raises(Invalid, match="somebody else"):
        hand_over(alice, alice)


def test_one_at_a_time(alice: User, bob: User, dave: User) -> None:
    first = hand_over(alice, dave)
    with pytest.raises(Invalid, match="has handed over to dave until"):
        hand_over(alice, bob, after=timedelta(hours=23))

    hand_over(alice, bob, after=timedelta(hours=24, seconds=1))
    services.end_delegation(first)
    hand_over(alice, bob, lasts=timedelta(hours=1))


def test_it_never_comes_back_to_where_it_came_from(
    alice: User, bob: User, carol: User
) -> None:
    hand_over(alice, bob)
    hand_over(bob, carol, after=timedelta(hours=12))
    with pytest.raises(Invalid, match="come back to carol"):
        hand_over(carol, alice, after=timedelta(hours=13))
    with pytest.raises(Invalid, match="come back to bob"):
        hand_over(bob, alice, after=timedelta(hours=1), lasts=timedelta(hours=1))

    # One after the other is no loop.
    hand_over(carol, alice, after=timedelta(hours=25))


def test_who_arranged_it_does_not_get_it_by_way_of_another(
    refund: ApprovalRequest, alice: User, dave: User
) -> None:
    author = make_user("author")
    permit(author, "approvals.delegate_for_others")
    hand_over(alice, dave, author=author)
    hand_over(dave, author, author=dave)

    assert waiting(author) == []
    with pytest.raises(NotAllowed):
        decide(refund, author)
    course = storage.read(refund.action_id)
    able = deciders.deciders(course, deciders.rightful(course), clock.now())
    assert list(able.values()) == [["dave for alice"]]
    assert waiting(dave) == [refund]
    assert decide(refund, dave).status == Status.APPROVED


def test_a_loop_that_is_there_all_the_same_ends(
    refund: ApprovalRequest, alice: User, bob: User, dave: User
) -> None:
    at = clock.now()
    for person, to in ((alice, dave), (dave, bob), (bob, alice)):
        Delegation.objects.create(
            person=person, to=to, starts_at=at, ends_at=at + DAY, created_at=at
        )

    course = storage.read(refund.action_id)
    able = deciders.deciders(course, deciders.rightful(course), clock.now())
    assert [len(names) for names in able.values()] == [2]
    assert audience.hearing(Event.objects.get(kind="stage_opened"), refund)
    assert decide(refund, dave).status == Status.APPROVED


def test_for_somebody_else_it_takes_a_permission(
    alice: User, bob: User, dave: User
) -> None:
    with pytest.raises(NotAllowed, match="your own queue only"):
        hand_over(alice, bob, author=dave)
    permit(dave, "approvals.delegate_for_others")
    dave = User.objects.get(pk=dave.pk)
    with pytest.raises(NotAllowed, match="to yourself"):
        hand_over(alice, dave, author=dave)

    hand_over(bob, dave, author=bob)
    with pytest.raises(NotAllowed, match="to yourself"):
        hand_over(alice, bob, author=dave, lasts=timedelta(hours=2))
    delegation = hand_over(alice, bob, author=dave, after=2 * DAY)
    assert delegation.created_by == dave


@pytest.mark.parametrize("who", ["alice", "bob", "dave", "charlie"])
def test_those_it_concerns_end_it(
    alice: User, bob: User, dave: User, charlie: User, who: str
) -> None:
    permit(dave, "approvals.delegate_for_others")
    delegation = hand_over(alice, bob, author=dave)
    person = User.objects.get(username=who)
    if who == "charlie":
        with pytest.raises(NotAllowed, match="those it concerns"):
            services.end_delegation(delegation, person)
    else:
        assert services.end_delegation(delegation, person).ended_by == person


# Who hears of it


def test_the_stand_in_is_told_in_place_of_the_person(
    refund: ApprovalRequest, alice: User, bob: User, dave: User
) -> None:
    hand_over(alice, dave)
    opened = Event.objects.get(kind="stage_opened")

    assert audience.hearing(opened, refund) == {bob, dave}
    assert audience.is_asked(dave, refund)
    decide(refund, dave)
    refund.refresh_from_db()
    assert not audience.is_asked(alice, refund)
    approved = Event.objects.get(kind="approved")
    assert audience.hearing(approved, refund) == {alice, bob}


def test_who_cannot_decide_it_leaves_it_with_the_person(
    agent: Agent, refund: ApprovalRequest, alice: User, dave: User
) -> None:
    agent.owner = dave
    agent.save()
    refund.action.agent.refresh_from_db()
    hand_over(alice, dave)

    assert audience.hearing(Event.objects.get(kind="stage_opened"), refund) == {alice}


# How much it costs


def test_the_queue_costs_the_same_whatever_waits(
    agent: Agent, refund_rules: None, alice: User, dave: User
) -> None:
    hand_over(alice, dave)
    make_request(agent)
    with CaptureQueriesContext(connection) as one:
        assert len(waiting(dave)) == 1
    for number in range(5):
        make_request(agent, customer_id=f"N-{number}")
    with CaptureQueriesContext(connection) as six:
        assert len(waiting(dave)) == 6

    assert len(one) == len(six)


# Two at once


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="SQLite has one writer at a time."
)
def test_no_vote_is_counted_after_the_delegation_was_taken_back(
    refund: ApprovalRequest, alice: User, dave: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    delegation = hand_over(alice, dave)
    checked, ended = Signal(), Signal()
    check = review._check_right

    def slowly(*args: Any) -> Any:
        found = check(*args)
        checked.set()
        # The right was there a moment ago. Is it safe to rely on it until the commit?
        assert not ended.wait(timeout=0.7)
        return found

    def end() -> None:
        checked.wait(timeout=5)
        services.end_delegation(delegation)
        ended.set()
        connection.close()

    monkeypatch.setattr(review, "_check_right", slowly)
    thread = Thread(target=end)
    thread.start()
    decide(refund, dave)
    thread.join()

    assert Action.objects.get().status == Status.APPROVED
    assert ended.is_set()


@pytest.mark.django_db(transaction=True)
def test_two_at_once_close_no_loop(
    alice: User, bob: User, carol: User, dave: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_over(alice, bob)
    hand_over(carol, dave)
    meet_in(monkeypatch, handing_over, "_record")
    outcomes = at_once(lambda: hand_over(bob, carol), lambda: hand_over(dave, alice))

    assert sum(isinstance(each, Refused) for each in outcomes) == 1
