from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from governance import clock
from governance.models import Action, Agent, Status
from policies import bodies, lookbacks, rulesets, tallies
from policies.bodies import Subject
from policies.models import LookbackEntry
from policies.rules import AgentFacts, Facts, History, Lookback
from tests.policies.making import lookback, make_action, make_lookback

pytestmark = pytest.mark.django_db

NAME = "customer_refunds"


def rule(**values: Any) -> Lookback:
    return rulesets.lookback(bodies.read(Subject.LOOKBACK, lookback(**values)))


def facts(resource: dict[str, str] | None = None, **params: Any) -> Facts:
    return Facts(
        action="refund.create",
        params={"customer_id": "C-7", **params},
        agent=AgentFacts("refund-bot", "production", ("eu",)),
        now=datetime(2026, 11, 23, tzinfo=UTC),
        resource=resource,
    )


def history(asked: Lookback, *, excluding: Action | None = None, **params: Any) -> Any:
    found = lookbacks.history([asked], facts(**params), clock.now(), excluding)
    return found.get(NAME)


def record(agent: Agent, *rules: Lookback, **fields: Any) -> Action:
    action = make_action(agent, **fields)
    lookbacks.record_entries(action, rules or [rule(sum="params.amount")])
    return action


@pytest.fixture
def summing(db: None) -> Lookback:
    make_lookback(sum="params.amount")
    return rule(sum="params.amount")


def test_nothing_before_is_nothing(summing: Lookback) -> None:
    assert history(summing) == History(0, 0.0)


def test_it_counts_and_sums_what_was_before(agent: Agent, summing: Lookback) -> None:
    record(agent, amount=20)
    record(agent, amount=30.5)
    record(agent, amount=99, customer_id="C-8")

    assert history(summing) == History(2, 50.5)


def test_it_counts_the_actions_of_all_agents(agent: Agent, summing: Lookback) -> None:
    record(Agent.objects.create(name="another-bot"), amount=20)

    assert history(summing) == History(1, 20.0)


@pytest.mark.parametrize("status", Status)
def test_what_went_or_may_go_ahead_counts(
    agent: Agent, summing: Lookback, status: Status
) -> None:
    record(agent, amount=20, status=status)

    did_not = {"blocked", "rejected", "expired", "cancelled"}
    assert history(summing).count == (0 if status in did_not else 1)


def test_a_status_that_changes_later_counts_as_it_is(
    agent: Agent, summing: Lookback
) -> None:
    action = record(agent, amount=20, status=Status.PENDING)
    now = clock.now()
    Action.objects.filter(pk=action.pk).update(
        status=Status.REJECTED, settled_at=now, updated_at=now
    )

    assert history(summing).count == 0


def test_the_window_slides(agent: Agent, summing: Lookback) -> None:
    record(agent, amount=20, age=timedelta(days=29, hours=23))
    assert history(summing).count == 1

    with clock.shifted(timedelta(hours=2)):
        assert history(summing).count == 0


def test_the_action_that_is_judged_does_not_count(
    agent: Agent, summing: Lookback
) -> None:
    action = record(agent, amount=20)

    assert history(summing, excluding=action).count == 0


def test_a_revision_takes_the_place_of_the_one_before(
    agent: Agent, summing: Lookback
) -> None:
    action = record(agent, amount=20)
    action.revision, action.params = 2, {"customer_id": "C-8", "amount": 5}

    lookbacks.record_entries(action, [summing])

    assert history(summing).count == 0
    assert history(summing, customer_id="C-8") == History(1, 5.0)


@pytest.mark.parametrize(
    ("one", "other"),
    [(7, "7"), (7.0, 7), (7.5, "7.5"), (True, "true"), ("x" * 65, "x" * 65), ("", "")],
)
def test_keys_are_compared_as_text(
    agent: Agent, summing: Lookback, one: object, other: object
) -> None:
    record(agent, amount=20, customer_id=one)

    assert history(summing, customer_id=other).count == 1


def test_long_keys_are_told_apart(agent: Agent, summing: Lookback) -> None:
    record(agent, amount=20, customer_id="x" * 100)

    assert history(summing, customer_id="x" * 101).count == 0
    assert len(LookbackEntry.objects.get().key) == 64


@pytest.mark.parametrize("key", [None, [], ["C-7"], {"id": "C-7"}])
def test_a_key_that_is_no_scalar_cannot_be_looked_up(
    agent: Agent, summing: Lookback, key: object
) -> None:
    record(agent, amount=20, customer_id=key)

    assert history(summing, customer_id=key) is None
    assert not LookbackEntry.objects.exists()


@pytest.mark.parametrize("amount", [None, "20", True, [20]])
def test_a_sum_needs_all_amounts(
    agent: Agent, summing: Lookback, amount: object
) -> None:
    record(agent, amount=20)
    record(agent, amount=amount)

    assert history(summing) == History(2, None)


def test_sums_are_added_as_people_add(agent: Agent, summing: Lookback) -> None:
    for amount in (0.1, 0.2, 19.99, 19.99, 19.99):
        record(agent, amount=amount)

    assert history(summing).sum == 60.27


def test_a_lookback_without_a_sum_only_counts(agent: Agent) -> None:
    make_lookback()
    record(agent, rule(), amount=20)

    assert history(rule()) == History(1, None)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("params.customer_id", "C-7"),
        ("params.card.last4", "4242"),
        ("params.card.nothing", None),
        ("params.customer_id.nothing", None),
        ("resource.id", "A-1"),
        ("resource.type", "order"),
        ("agent.name", "refund-bot"),
        ("agent.environment", "production"),
        ("context.order", None),
    ],
)
def test_paths_lead_to_values(path: str, value: object) -> None:
    found = facts({"type": "order", "id": "A-1"}, card={"last4": "4242"})

    assert tallies.value_at(path, found) == value


def test_an_action_without_a_resource_has_no_resource_key() -> None:
    assert tallies.value_at("resource.id", facts()) is None


def test_any_number_of_lookbacks_is_one_query(
    agent: Agent,
    summing: Lookback,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_lookback(name="by_agent", key="agent.name")
    by_agent = rule(name="by_agent", key="agent.name")
    record(agent, summing, by_agent, amount=20)
    record(agent, summing, by_agent, amount=20, customer_id="C-8")

    at = clock.now()

    with django_assert_num_queries(1):
        found = lookbacks.history([summing, by_agent], facts(), at)

    assert found == {NAME: History(1, 20.0), "by_agent": History(2)}


def test_rebuilding_finds_what_recording_found(agent: Agent, summing: Lookback) -> None:
    with patch("policies.lookbacks.BATCH", 2):
        for amount in range(5):
            record(agent, amount=amount)
        before = history(summing)

        assert lookbacks.rebuild(summing, clock.now()) == 5

    assert history(summing) == before == History(5, 10.0)


@pytest.mark.parametrize(
    ("patterns", "found"),
    [(["*"], 3), (["refund.*"], 2), (["refund.create"], 1), (["refund.a.b"], 1)],
)
def test_rebuilding_follows_the_patterns(
    agent: Agent, patterns: list[str], found: int
) -> None:
    for name in ("refund.create", "refund.a.b", "refunds"):
        make_action(agent, name=name)

    make_lookback(actions=patterns)

    assert LookbackEntry.objects.count() == found


def submit(asked: Lookback, customers: list[str], meeting_point: Barrier) -> list[int]:
    """Submit simultaneously. Return how many refunds each one found before it."""

    def submit_one(customer: str) -> int:
        mine = facts(customer_id=customer)
        with transaction.atomic():
            lookbacks.lock([asked], mine)
            found = lookbacks.history([asked], mine, clock.now())[NAME]
            with suppress(BrokenBarrierError):
                meeting_point.wait()
            record(Agent.objects.get(), asked, customer_id=customer)
        connection.close()
        return found.count

    with ThreadPoolExecutor() as pool:
        return sorted(pool.map(submit_one, customers))


@pytest.mark.django_db(transaction=True)
def test_of_two_first_refunds_at_once_one_finds_nothing(agent: Agent) -> None:
    make_lookback()
    # Meeting there would mean that nothing kept the two apart.
    meeting_point = Barrier(2, timeout=1)

    assert submit(rule(), ["C-7", "C-7"], meeting_point) == [0, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs row locks")
def test_different_customers_do_not_wait_for_each_other(agent: Agent) -> None:
    make_lookback()
    meeting_point = Barrier(2, timeout=10)

    assert submit(rule(), ["C-7", "C-8"], meeting_point) == [0, 0]
    assert not meeting_point.broken
