"""Two at once: each race is provoked, not hoped for.

Both sides meet at a barrier inside the critical section. Where a lock keeps them
apart, the first to arrive waits in vain, goes on alone after a moment, and the other
follows when it is done.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError, Event, Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from approvals import judgement, routing, services
from approvals.course import Course
from approvals.errors import AlreadyConsumed, NotAllowed, NotCancellable
from approvals.models import ApprovalRequest, Vote
from approvals.services import Proposal, review
from governance import clock, keys
from governance import services as governance
from governance.errors import Refused
from governance.models import Action, Agent, User
from policies import engine
from tests.cast import REFUND

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("refund_rules"),
]
postgresql = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="SQLite has one writer at a time."
)

APPROVE, REJECT = Vote.Verdict.APPROVE, Vote.Verdict.REJECT


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls in threads. Return what each returned, or the refusal it raised."""

    def run(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Refused as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def meet_in(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, count: int = 2
) -> None:
    """Make calls of this function wait for each other before they go on."""
    barrier = Barrier(count, timeout=0.7)
    original = getattr(place, name)

    def late(*args: Any, **options: Any) -> Any:
        with suppress(BrokenBarrierError):
            barrier.wait()
        return original(*args, **options)

    monkeypatch.setattr(place, name, late)


def refund(amount: int = 75, customer: str = "C-7") -> Proposal:
    params = {**REFUND, "amount": amount, "customer_id": customer}
    return Proposal("refund.create", params)


def submit(agent: Agent, proposal: Proposal, key: str | None = None) -> Course:
    course, _ = services.submit(agent, proposal, idempotency_key=key)
    return course


def decide(request: ApprovalRequest, who: User, verdict: Vote.Verdict) -> Course:
    return services.decide(request, who, verdict, digest=request.digest)


@pytest.fixture
def waiting(agent: Agent) -> ApprovalRequest:
    request = submit(agent, refund()).request
    assert request
    return request


def status() -> str:
    return Action.objects.get().status


def test_of_two_first_refunds_exactly_one_is_allowed(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_in(monkeypatch, engine, "judge")
    first, second = at_once(*[lambda: submit(agent, refund(20))] * 2)

    statuses = sorted([first.action.status, second.action.status])
    assert statuses == ["allowed", "pending"]


def test_refunds_of_two_customers_do_not_wait_for_each_other(agent: Agent) -> None:
    names = [f"C-{number}" for number in range(4)]
    courses = at_once(
        *[lambda name=name: submit(agent, refund(20, name)) for name in names]
    )

    assert [course.action.status for course in courses] == ["allowed"] * 4


def test_one_idempotency_key_makes_one_action(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_in(monkeypatch, engine, "judge")
    courses = at_once(*[lambda: submit(agent, refund(20), "k1")] * 4)

    assert len({course.action.pk for course in courses}) == 1
    assert Action.objects.count() == 1


def test_of_two_contrary_verdicts_exactly_one_counts(
    waiting: ApprovalRequest, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    meet_in(monkeypatch, review, "_check_right")
    outcomes = at_once(
        lambda: decide(waiting, alice, APPROVE), lambda: decide(waiting, bob, REJECT)
    )

    refused = [each for each in outcomes if isinstance(each, Refused)]
    assert [refusal.code for refusal in refused] == ["already_decided"]
    assert Vote.objects.count() == 1
    assert (
        status()
        == {"approve": "approved", "reject": "rejected"}[Vote.objects.get().verdict]
    )


def test_cancelling_and_approving_cannot_both_happen(
    agent: Agent,
    waiting: ApprovalRequest,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meet_in(monkeypatch, Course, "_settle")
    pk = waiting.action_id
    at_once(lambda: decide(waiting, alice, APPROVE), lambda: services.cancel(pk, agent))

    kinds = set(Action.objects.get().events.values_list("kind", flat=True))
    assert ("approved" in kinds, "cancelled" in kinds) != (False, False)
    assert status() in ("approved", "cancelled")
    assert (status() == "cancelled") == ("cancelled" in kinds)


def test_a_permission_is_spent_once_however_many_try(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = submit(agent, refund(20)).action
    meet_in(monkeypatch, judgement, "blocked_now")
    outcomes = at_once(*[lambda: services.consume(action.pk, agent, action.digest)] * 6)

    spent = [each for each in outcomes if isinstance(each, Course)]
    assert len(spent) == 1
    assert sum(isinstance(each, AlreadyConsumed) for each in outcomes) == 5


def test_cancelling_and_spending_cannot_both_happen(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = submit(agent, refund(20)).action
    meet_in(monkeypatch, judgement, "blocked_now", 1)
    spent, cancelled = at_once(
        lambda: services.consume(action.pk, agent, action.digest),
        lambda: services.cancel(action.pk, agent),
    )

    assert isinstance(spent, Course) != isinstance(cancelled, Course)
    assert isinstance(cancelled, NotCancellable | Course)


@postgresql
def test_no_vote_is_counted_after_its_right_was_taken_away(
    waiting: ApprovalRequest,
    alice: User,
    managers: Group,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked, revoked = Event(), Event()
    members = routing.members

    def slowly(*args: Any) -> Any:
        checked.set()
        # The right was there a moment ago. Is it safe to rely on it until the commit?
        assert not revoked.wait(timeout=0.7)
        return members(*args)

    def revoke() -> None:
        checked.wait(timeout=5)
        with transaction.atomic():
            user = User.objects.get(pk=alice.pk)
            user.save()
            user.groups.remove(managers)
        revoked.set()
        connection.close()

    monkeypatch.setattr(routing, "members", slowly)
    thread = Thread(target=revoke)
    thread.start()
    decide(waiting, alice, APPROVE)
    thread.join()

    assert status() == "approved"
    assert revoked.is_set()


def test_a_right_taken_away_before_is_gone(
    waiting: ApprovalRequest, alice: User, managers: Group
) -> None:
    alice.groups.remove(managers)

    with pytest.raises(NotAllowed):
        decide(waiting, alice, APPROVE)


@postgresql
def test_waiting_for_a_lock_does_not_stretch_the_deadline(
    agent: Agent, alice: User
) -> None:
    course, _ = services.submit(agent, Proposal(**vars_of(refund()), expires_in=1))
    locked, late = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            Action.objects.select_for_update().get(pk=course.action.pk)
            locked.set()
            late.wait(timeout=5)
        connection.close()

    thread = Thread(target=hold)
    thread.start()
    locked.wait(timeout=5)
    # The clock runs on while the decision queues for the row.
    with clock.shifted(timedelta(0)):
        outcome = at_once(
            lambda: decide_when(course, alice), lambda: pass_deadline(course, late)
        )[0]
    thread.join()

    assert isinstance(outcome, Refused)
    assert outcome.code == "expired"
    assert not Vote.objects.exists()


def vars_of(proposal: Proposal) -> dict[str, Any]:
    return {"action": proposal.action, "params": proposal.params}


def decide_when(course: Course, who: User) -> Course:
    assert course.request
    return decide(course.request, who, APPROVE)


def pass_deadline(course: Course, late: Event) -> None:
    """Let the lock go only when the deadline is over."""
    assert course.action.deadline_at
    while clock.now() <= course.action.deadline_at:
        late.wait(timeout=0.05)
    late.set()


@pytest.mark.parametrize("what", ["suspend", "revoke"])
def test_nothing_is_spent_after_the_agent_was_stopped(
    agent: Agent, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = submit(agent, refund(20)).action
    key = keys.verify(governance.issue_key(agent))
    spending, stopped = Event(), Event()
    blocked_now = judgement.blocked_now

    def slowly(*args: Any) -> Any:
        spending.set()
        # Whoever stops the agent now has to wait until this is over.
        assert not stopped.wait(timeout=0.7)
        return blocked_now(*args)

    def stop_it() -> None:
        spending.wait(timeout=5)
        if what == "suspend":
            governance.suspend(agent)
        else:
            governance.revoke_key(key)
        stopped.set()

    monkeypatch.setattr(judgement, "blocked_now", slowly)
    spent, _ = at_once(
        lambda: services.consume(action.pk, agent, action.digest, key=key), stop_it
    )
    assert isinstance(spent, Course)
    assert stopped.is_set()

    monkeypatch.setattr(judgement, "blocked_now", blocked_now)
    with pytest.raises((keys.Suspended, keys.InvalidKey)):
        services.consume(action.pk, agent, action.digest, key=key)
