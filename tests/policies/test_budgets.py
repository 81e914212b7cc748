"""Budgets and velocity: they hold to the cent, however many ask at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from threading import Barrier
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection

from approvals import services as approvals
from approvals.services import Proposal
from governance import clock
from governance.models import Action, Agent, Status
from governance.services import create_agent
from policies import services
from policies.bodies import Subject
from tests.policies.making import asking, flow, lookback, policy

pytestmark = pytest.mark.django_db
AT_ONCE = 16
DOCS = Path(__file__).parent.parent.parent / "docs" / "policies.md"


@pytest.fixture(autouse=True)
def people(db: None) -> None:
    Group.objects.create(name="managers")
    services.save(Subject.FLOW, flow())


def limit(when: str, **values: Any) -> None:
    """Allow refunds as long as this does not hold; then ask."""
    values = {"key": "agent.name", "window": "day", **values}
    services.save(Subject.LOOKBACK, lookback("spent", **values))
    services.save(Subject.POLICY, policy("any"))
    services.save(Subject.POLICY, asking("beyond", when=when))


def budget(most: float, **values: Any) -> None:
    values = {"sum": "params.amount", "decision": "ALLOW", **values}
    limit(f"history.spent.sum + params.amount > {most:.2f}", **values)


def refund(agent: Agent, amount: object = 49, **params: Any) -> Action:
    params = {"customer_id": "C-7", "amount": amount, **params}
    return approvals.submit(agent, Proposal("refund.create", params))[0].action


def statuses(actions: Iterable[Action]) -> Counter[str]:
    return Counter(str(action.status) for action in actions)


def at_once(*calls: Callable[[], Action]) -> list[Action]:
    """Make all these calls from so many threads that set out together."""
    start = Barrier(AT_ONCE)

    def run(mine: list[Callable[[], Action]]) -> list[Action]:
        start.wait(10)
        try:
            return [call() for call in mine]
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        shares = [calls[number::AT_ONCE] for number in range(AT_ONCE)]
        return [each for some in pool.map(run, map(list, shares)) for each in some]


@pytest.mark.django_db(transaction=True)
def test_a_hundred_refunds_at_once_spend_a_budget_to_the_last_that_fits(
    agent: Agent,
) -> None:
    budget(500)

    actions = at_once(*[lambda: refund(agent, 49)] * 100)

    assert statuses(actions) == {"allowed": 10, "pending": 90}
    allowed = Action.objects.filter(status=Status.ALLOWED)
    assert sum(action.params["amount"] for action in allowed) == 490


@pytest.mark.django_db(transaction=True)
def test_a_budget_that_all_agents_share_is_exact_as_well(agent: Agent) -> None:
    budget(500, key="")
    agents = [agent, *(create_agent(f"bot-{number}") for number in range(3))]

    calls = [lambda who=who: refund(who, 49.99) for who in agents * 10]
    actions = at_once(*calls)

    assert statuses(actions) == {"allowed": 10, "pending": 30}


def test_what_went_to_a_person_leaves_an_automatic_budget_alone(agent: Agent) -> None:
    budget(500, decision="ALLOW")

    amounts = [300, 250, 150, 60, 50]
    actions = [refund(agent, amount) for amount in amounts]

    expected = ["allowed", "pending", "allowed", "pending", "allowed"]
    assert [action.status for action in actions] == expected


def test_without_a_decision_what_waits_is_reserved(agent: Agent) -> None:
    budget(500, decision="")

    waiting = [refund(agent, amount) for amount in (300, 250)][1]
    assert refund(agent, 1).status == Status.PENDING

    Action.objects.filter(pk=waiting.pk).update(
        status=Status.REJECTED, settled_at=clock.now(), updated_at=clock.now()
    )
    assert refund(agent, 200).status == Status.PENDING
    Action.objects.filter(status=Status.PENDING).update(
        status=Status.CANCELLED, settled_at=clock.now(), updated_at=clock.now()
    )
    assert refund(agent, 200).status == Status.ALLOWED


def test_a_day_begins_at_midnight_where_the_budget_lives(agent: Agent) -> None:
    budget(500, time_zone="Pacific/Auckland")
    midnight = _midnight("Pacific/Auckland") - clock.now()

    with clock.shifted(midnight - timedelta(seconds=30)):
        assert refund(agent, 490).status == Status.ALLOWED
        assert refund(agent, 490).status == Status.PENDING
    with clock.shifted(midnight + timedelta(seconds=1)):
        assert refund(agent, 490).status == Status.ALLOWED
        assert refund(agent, 490).status == Status.PENDING


def _midnight(zone: str) -> datetime:
    """The next but one, so that the clock moves forwards only."""
    local = clock.now().astimezone(ZoneInfo(zone)) + timedelta(days=2)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def test_velocity_is_a_count_in_a_sliding_window(agent: Agent) -> None:
    limit("history.spent.count >= 3", window="1m")

    for seconds in (0, 10, 20):
        with clock.shifted(timedelta(seconds=seconds)):
            assert refund(agent).status == Status.ALLOWED
    with clock.shifted(timedelta(seconds=50)):
        assert refund(agent).status == Status.PENDING
    with clock.shifted(timedelta(seconds=125)):
        assert refund(agent).status == Status.ALLOWED


def test_a_limit_per_customer_leaves_other_customers_alone(agent: Agent) -> None:
    budget(100, key="params.customer_id")

    found = [refund(agent, 60, customer_id=who).status for who in ("C-7", "C-8", "C-7")]

    assert found == [Status.ALLOWED, Status.ALLOWED, Status.PENDING]


def test_a_limit_per_agent_and_customer_is_a_key_of_two(agent: Agent) -> None:
    budget(100, key="agent.name, params.customer_id")
    other = create_agent("other-bot")

    found = [refund(who, 60).status for who in (agent, other, agent)]

    assert found == [Status.ALLOWED, Status.ALLOWED, Status.PENDING]


def test_different_payees_are_counted_once_each(agent: Agent) -> None:
    limit("history.spent.distinct >= 2", distinct="params.iban", key="")

    ibans = ["DE1", "DE1", "DE2", "DE1"]
    found = [refund(agent, iban=iban).status for iban in ibans]

    assert found == [Status.ALLOWED, Status.ALLOWED, Status.ALLOWED, Status.PENDING]


def test_an_amount_nobody_can_add_goes_to_a_person(agent: Agent) -> None:
    budget(500, decision="")
    services.save(Subject.POLICY, policy("any", when="!has(params.amount)"))

    assert refund(agent, amount="49").status == Status.PENDING
    assert refund(agent, amount=49).status == Status.PENDING


# The worked examples of docs/policies.md, in its order.
DOCUMENTED: list[list[tuple[str, dict[str, Any], str]]] = [
    [
        ("refund.create", {"amount": 1900}, "ALLOW"),
        ("refund.create", {"amount": 150}, "REQUIRE_APPROVAL"),
        ("refund.create", {"amount": 100}, "ALLOW"),
        ("refund.create", {"amount": 1}, "REQUIRE_APPROVAL"),
    ],
    [
        ("payment.create", {"supplier_id": 7, "amount": 7000}, "REQUIRE_APPROVAL"),
        ("payment.create", {"supplier_id": 7, "amount": 4000}, "BLOCK"),
        ("payment.create", {"supplier_id": 8, "amount": 4000}, "REQUIRE_APPROVAL"),
    ],
    [
        *[("payment.create", {"iban": f"DE{n}"}, "ALLOW") for n in (1, 2, 1, 3)],
        ("payment.create", {"iban": "DE4"}, "REQUIRE_APPROVAL"),
        *[("payment.create", {"iban": f"DE{n}"}, "ALLOW") for n in (2, 1, 1, 1, 1)],
        ("payment.create", {"iban": "DE1"}, "BLOCK"),
    ],
]


@pytest.mark.parametrize("number", range(len(DOCUMENTED)))
def test_the_documented_budgets_answer_as_the_documents_say(
    number: int, agent: Agent, tmp_path: Path
) -> None:
    _, _, section = DOCS.read_text().partition("### What uses up a budget")
    examples = re.findall(r"```yaml\n(.*?)```", section.partition("\n## ")[0], re.S)
    assert len(examples) == len(DOCUMENTED)
    file = tmp_path / "rules.yaml"
    file.write_text(examples[number])
    call_command("load_policies", str(file), stdout=StringIO())

    for name, params, decision in DOCUMENTED[number]:
        course, _ = approvals.submit(agent, Proposal(name, params))
        assert course.action.decision == decision, params
