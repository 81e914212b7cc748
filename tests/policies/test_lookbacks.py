from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from governance import clock
from governance.models import Action, Agent, Status
from policies import bodies, lookbacks, rulesets, tallies
from policies.bodies import Subject
from policies.models import Decision, LookbackEntry
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


ASKED = {
    "by_customer": {"sum": "params.amount", "distinct": "params.iban"},
    "by_both": {"key": "agent.name, params.customer_id", "distinct": "params.iban"},
    "everybody": {"key": "", "sum": "params.amount", "decision": "ALLOW"},
    "today": {"window": "day", "sum": "params.amount", "time_zone": "Asia/Tokyo"},
    "this_year": {"window": "year", "distinct": "params.iban", "decision": "BLOCK"},
}


def test_the_database_counts_as_the_plain_reckoning_does(agent: Agent) -> None:
    asked = [rule(name=name, **values) for name, values in ASKED.items()]
    for name, values in ASKED.items():
        make_lookback(name=name, **values)
    actions = [
        record(
            agent if number % 3 else _other(),
            *asked,
            age=timedelta(hours=7 * number),
            status=list(Status)[number % len(Status)],
            decision=list(Decision)[number % 3],
            customer_id=f"C-{number % 2}",
            amount=number / 10,
            iban=f"DE{number % 4}",
        )
        for number in range(40)
    ]
    at = clock.now()

    for who in ("C-0", "C-1"):
        mine = facts(customer_id=who)
        found = lookbacks.history(asked, mine, at)
        assert found == {b.name: plainly(b, actions, mine, at) for b in asked}
    before = lookbacks.history(asked, facts(customer_id="C-1"), at)
    for each in asked:
        lookbacks.rebuild(each, at)
    assert lookbacks.history(asked, facts(customer_id="C-1"), at) == before


def _other() -> Agent:
    return Agent.objects.get_or_create(name="another-bot")[0]


def plainly(
    asked: Lookback, actions: list[Action], mine: Facts, at: datetime
) -> History:
    counted = [
        entry
        for action in actions
        if lookbacks.counts(action.status)
        and tallies.concerns(asked, action.decision)
        and action.created_at >= tallies.begins(asked, at)
        and (entry := tallies.entry_of(asked, lookbacks.facts_of(action)))
    ]
    key = tallies.key_of(asked, mine)
    return tallies.history_of(asked, [e for e in counted if e.key == key])


def test_distinct_needs_all_values(agent: Agent) -> None:
    make_lookback(distinct="params.iban")
    distinct = rule(distinct="params.iban")
    assert history(distinct) == History(0, None, 0)

    record(agent, distinct, iban="DE1")
    record(agent, distinct, iban="DE1")
    assert history(distinct) == History(2, None, 1)

    record(agent, distinct, iban=None)
    assert history(distinct) == History(3, None, None)


@pytest.mark.parametrize(
    "changed", [{"window": "day"}, {"distinct": "params.iban"}, {"key": "agent.name"}]
)
def test_a_changed_lookback_counts_anew(agent: Agent, changed: dict[str, str]) -> None:
    make_lookback()
    record(agent, rule(), amount=20, iban="DE1")
    record(agent, rule(), amount=20, iban="DE1", age=timedelta(days=3))

    make_lookback(**changed)

    found = history(rule(**changed))
    assert found == lookbacks.history([rule(**changed)], facts(), clock.now())[NAME]
    assert found.count == (1 if "window" in changed else 2)
    assert found.distinct == (1 if "distinct" in changed else None)


def test_very_many_lookbacks_are_still_answered(agent: Agent) -> None:
    many = [rule(name=f"b{number}", distinct="params.iban") for number in range(300)]

    found = lookbacks.history(many, facts(), clock.now())

    assert set(found.values()) == {History(0, None, 0)}
    assert len(found) == 300


@pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="PostgreSQL explains its plans."
)
def test_the_index_answers_also_for_several_lookbacks(agent: Agent) -> None:
    for name in ("one", "other"):
        make_lookback(name=name, sum="params.amount", distinct="params.iban")
    asked = [
        rule(name=n, sum="params.amount", distinct="params.iban")
        for n in ("one", "other")
    ]
    _fill(record(agent, *asked, amount=1, iban="DE1"), 10_000)

    at = clock.now()
    with CaptureQueriesContext(connection) as queries:
        found = lookbacks.history(asked, facts(), at)

    assert found["one"] == found["other"] == History(1, 1.0, 1)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (COSTS OFF) " + queries.captured_queries[0]["sql"])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert plan.count("lookback_window") == 4, plan
    assert "Seq Scan on policies_lookbackentry" not in plan, plan


def _fill(action: Action, entries: int) -> None:
    """Add that many entries of other customers to each lookback."""
    statement = """
        WITH actions AS (
            INSERT INTO governance_action
            SELECT (a).* FROM (
                SELECT jsonb_populate_record(
                    a, jsonb_build_object('id', gen_random_uuid())
                ) AS a
                FROM governance_action AS a, generate_series(1, %s)
            ) AS copies
            RETURNING id
        ), numbered AS (SELECT id, row_number() OVER () AS number FROM actions)
        INSERT INTO policies_lookbackentry (lookback_id, key, action_id, amount, at)
        SELECT b.id, 'C-' || 1000 + number %% 5000, n.id, number %% 97, now()
        FROM numbered AS n, policies_lookback AS b
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, [entries])
        cursor.execute("ANALYZE policies_lookbackentry, governance_action")


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
