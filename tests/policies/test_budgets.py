"""Budgets: what lookbacks add up to now, beside the limits that conditions name."""

from __future__ import annotations

import pytest

from governance import clock
from governance.models import Agent
from policies import budgets, services
from policies.bodies import Subject
from tests.approvals.factories import make_request

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("condition", "limits"),
    [
        ("history.spent.sum + params.amount > 500.0", [("spent", 500)]),
        ("(history.spent.sum) >= 80.0 && params.amount > 7.0", [("spent", 80)]),
        ("1000.0 < history.spent.sum", [("spent", 1000)]),
        ("!(history.a.sum <= 5.5 || history.b.sum < 6.0)", [("a", 5.5), ("b", 6)]),
        ("history.spent.sum + params.amount > context.total", []),
        ("history.spent.count > 3", []),
        ('"history.spent.sum > 5.0" == params.text', []),
    ],
)
def test_limits_are_read_from_conditions(
    condition: str, limits: list[tuple[str, float]]
) -> None:
    assert sorted(budgets._compared(condition)) == limits


def test_what_counts_is_added_up_by_key(refund_rules: None, agent: Agent) -> None:
    body = {"name": "spent", "actions": ["refund.create"], "window": "30d"}
    key = {"key": "params.customer_id", "sum": "params.amount"}
    services.save(Subject.LOOKBACK, body | key)
    rule = {"name": "budget", "actions": ["refund.create"], "decision": "BLOCK"}
    when = "history.spent.sum + params.amount > 500.0"
    services.save(Subject.POLICY, rule | {"when": when, "reason": ""})
    for amount, customer in ((75, "C-1"), (60, "C-1"), (190, "<b>C-2")):
        make_request(agent, amount, customer_id=customer, order_id=f"A-{amount}")

    (budget,) = budgets.budgets(clock.now())

    assert (budget.limit, budget.limits[0].policy) == (500, "budget")
    assert [(use.key, use.total, use.actions) for use in budget.uses] == [
        ("<b>C-2", 190, 1),
        ("C-1", 135, 2),
    ]
