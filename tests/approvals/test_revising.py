"""One revision after the other: what is put on record, and two at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from approvals import services
from approvals.course import Course
from approvals.errors import NotRevisable
from approvals.models import ApprovalRequest, RequestGroupPermission, Vote
from governance import clock
from governance.errors import Refused
from governance.models import Action, Agent, Event, User
from policies import engine, lookbacks, store
from policies.models import LookbackEntry
from tests.approvals.factories import make_request
from tests.approvals.test_races import at_once, decide, meet_in
from tests.cast import REFUND

CHANGES = Vote.Verdict.REQUEST_CHANGES


@pytest.fixture
def sent_back(refund: ApprovalRequest, alice: User) -> ApprovalRequest:
    decide(refund, alice, CHANGES)
    return refund


def revise(
    request: ApprovalRequest, amount: object = 60, key: str | None = None, **sent: Any
) -> Course:
    agent = request.action.agent
    sent = {"params": {**REFUND, "amount": amount}, **sent}
    course, _ = services.revise(request.action_id, agent, sent, idempotency_key=key)
    return course


def last_of(kind: str) -> Event:
    return Event.objects.filter(kind=kind).latest("id")


@pytest.mark.django_db
def test_people_are_asked_about_it_anew(sent_back: ApprovalRequest) -> None:
    asked = revise(sent_back).request

    assert asked
    assert asked.pk != sent_back.pk
    assert (asked.revision, asked.params["amount"]) == (2, 60)
    sent_back.refresh_from_db()
    assert (sent_back.outcome, sent_back.params["amount"]) == ("changes_requested", 75)
    granted = RequestGroupPermission.objects.values_list("content_object", flat=True)
    assert list(granted) == [asked.pk]


@pytest.mark.django_db
def test_what_changed_is_on_record(sent_back: ApprovalRequest) -> None:
    revise(sent_back, reason="Half of it.")
    event = last_of("revised")

    assert event.data["changes"] == {
        "params.amount": {"old": 75, "new": 60},
        "reason": {"old": "", "new": "Half of it."},
    }
    assert set(last_of("submitted").data) < set(event.data)
    assert event.actor_kind == "agent"


@pytest.mark.django_db
def test_a_name_that_comes_or_goes_is_no_null(sent_back: ApprovalRequest) -> None:
    params = {**REFUND, "note": None}
    del params["order_id"]
    revise(sent_back, params=params)

    assert last_of("revised").data["changes"] == {
        "params.note": {"new": None},
        "params.order_id": {"old": "A-1001"},
    }


@pytest.mark.django_db
def test_the_same_again_is_a_revision_too(sent_back: ApprovalRequest) -> None:
    course = revise(sent_back, 75.0)

    assert course.action.revision == 2
    assert course.action.digest == sent_back.digest
    assert last_of("revised").data["changes"] == {}


@pytest.mark.django_db
def test_revisions_go_on_as_long_as_people_want(
    sent_back: ApprovalRequest, alice: User
) -> None:
    for revision in range(2, 5):
        asked = revise(sent_back, 50 + revision).request
        assert asked
        assert asked.revision == revision
        decide(asked, alice, CHANGES)

    outcomes = ApprovalRequest.objects.values_list("outcome", flat=True)
    assert set(outcomes) == {"changes_requested"}


@pytest.mark.django_db
def test_a_refusal_leaves_no_trace(refund: ApprovalRequest) -> None:
    events = Event.objects.count()
    with pytest.raises(NotRevisable):
        revise(refund)

    assert Event.objects.count() == events
    assert Action.objects.get().params["amount"] == 75


@pytest.mark.django_db
def test_nobody_decides_on_the_former_one(
    sent_back: ApprovalRequest, bob: User
) -> None:
    revise(sent_back)

    with pytest.raises(Refused) as refusal:
        decide(sent_back, bob, Vote.Verdict.APPROVE)
    assert refusal.value.code == "changed"


# Two at once


race = pytest.mark.django_db(transaction=True)


@race
def test_of_two_revisions_at_once_one_wins(
    sent_back: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_in(monkeypatch, engine, "judge")
    outcomes = at_once(lambda: revise(sent_back, 60), lambda: revise(sent_back, 61))

    refused = [each for each in outcomes if isinstance(each, Refused)]
    assert [refusal.code for refusal in refused] == ["not_revisable"]
    assert Action.objects.get().revision == 2
    assert Event.objects.filter(kind="revised").count() == 1
    assert ApprovalRequest.objects.count() == 2


@race
def test_the_same_key_twice_at_once_is_one_revision(
    sent_back: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_in(monkeypatch, engine, "judge")
    one, other = at_once(*[lambda: revise(sent_back, key="r1")] * 2)

    assert one.action.revision == other.action.revision == 2
    assert Event.objects.filter(kind="revised").count() == 1


@race
def test_revising_and_cancelling_cannot_both_win(
    agent: Agent, sent_back: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk = sent_back.action_id
    meet_in(monkeypatch, engine, "judge", 2)
    meet_in(monkeypatch, Course, "cancel", 2)
    revised, cancelled = at_once(
        lambda: revise(sent_back), lambda: services.cancel(pk, agent)
    )

    # Cancelled it is either way: a revision that was faster is withdrawn itself.
    assert isinstance(cancelled, Course)
    kinds = list(Event.objects.filter(action=pk).values_list("kind", flat=True))
    assert Action.objects.get().status == "cancelled"
    if isinstance(revised, Refused):
        assert revised.code == "not_revisable"
        assert "revised" not in kinds
    else:
        assert kinds.index("cancelled") < kinds.index("revised")  # Newest first.
    assert not RequestGroupPermission.objects.exists()


@race
def test_what_is_revised_at_once_with_a_first_refund_counts(
    agent: Agent, sent_back: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_in(monkeypatch, engine, "judge")
    params = {**REFUND, "amount": 20, "customer_id": "C-8"}
    proposal = services.Proposal("refund.create", params)
    revised, submitted = at_once(
        lambda: revise(sent_back, params=params),
        lambda: services.submit(agent, proposal)[0],
    )

    assert sorted(c.action.status for c in (revised, submitted)) == [
        "allowed",
        "pending",
    ]


@pytest.mark.django_db
def test_a_request_of_another_revision_is_not_taken_for_this_one(
    sent_back: ApprovalRequest, agent: Agent, alice: User
) -> None:
    other = make_request(agent, 80)
    asked = revise(sent_back).request
    assert asked
    decide(asked, alice, Vote.Verdict.APPROVE)

    assert Action.objects.get(pk=sent_back.action_id).status == "approved"
    assert Action.objects.get(pk=other.action_id).status == "pending"


@pytest.mark.django_db
@pytest.mark.parametrize("again", [False, True], ids=["asked", "rebuilt"])
def test_a_budget_counts_a_revision_when_it_was_revised(
    sent_back: ApprovalRequest, again: bool
) -> None:
    with clock.shifted(timedelta(days=3)):
        course = revise(sent_back)
        if again:
            for each in store.current().rules.lookbacks:
                lookbacks.rebuild(each, clock.now())
        then = clock.now()

    entries = LookbackEntry.objects.filter(action=course.action)
    assert entries
    for entry in entries:
        assert timedelta() <= then - entry.at < timedelta(minutes=1)
    action = Action.objects.get(pk=course.action.pk)
    assert action.judged_at - action.created_at >= timedelta(days=3)
