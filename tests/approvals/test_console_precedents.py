"""What the agent says would change, and how people decided on what is alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals import services
from approvals.console import foreseen, similar
from approvals.models import ApprovalRequest, Vote
from governance import clock
from governance.models import Action, Agent, User
from tests.approvals.factories import make_request
from tests.approvals.test_console_review import page, section

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


def decided(
    agent: Agent, person: User, amount: float, verdict: str = "approve", **params: Any
) -> ApprovalRequest:
    request = make_request(agent, amount, order_id=f"A-{amount}", **params)
    services.decide(
        request, person, Vote.Verdict(verdict), digest=request.digest, comment="So."
    )
    return request


def tally(request: ApprovalRequest, person: User) -> dict[str, int]:
    found = similar.to(request, request.action, person, clock.now())
    return {label.text: count for label, count in found.counts}


# Similar requests


@pytest.mark.django_db
def test_it_counts_what_is_near_in_amount(
    refund_rules: None, agent: Agent, alice: User
) -> None:
    decided(agent, alice, 60)
    decided(agent, alice, 70)
    decided(agent, alice, 150, "reject")
    decided(agent, alice, 190, "reject")
    decided(agent, alice, 80, "request_changes")
    decided(agent, alice, 85, currency="EUR")
    make_request(agent, 90, order_id="A-90")
    request = make_request(agent, 75)

    assert tally(request, alice) == {
        "Approved": 2,
        "Rejected": 1,
        "Changes requested": 1,
    }
    shown = section(page(alice, request), "similar")
    assert "amount 37.50 USD to 150.00 USD, of the latest 300 in 90 days" in shown
    assert "2 approved 1 rejected 1 changes requested" in shown
    assert "alice asked for changes" in shown


@pytest.mark.django_db
def test_without_an_amount_the_same_policies_count(
    refund_rules: None, agent: Agent, alice: User
) -> None:
    decided(agent, alice, 60)
    other = decided(agent, alice, 70)
    Action.objects.filter(pk=other.action_id).update(reasons=[{"policy": "other"}])
    request = make_request(agent, 75)
    request.params = {"customer_id": "C-7"}

    assert tally(request, alice) == {"Approved": 1}


@pytest.mark.django_db
def test_other_actions_and_old_ones_do_not_count(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    assert "Nobody has decided on one yet." in section(page(alice, refund), "similar")
    decided(agent, alice, 76)
    assert tally(refund, alice) == {"Approved": 1}

    other = Action(pk=refund.action_id, name="refund.other", reasons=[])
    assert similar.to(refund, other, alice, clock.now()).counts == []
    with clock.shifted(timedelta(days=91)):
        assert tally(refund, alice) == {}


@pytest.mark.django_db
def test_only_what_one_may_see_can_be_opened(
    refund: ApprovalRequest, agent: Agent, alice: User, charlie: User
) -> None:
    past = decided(agent, alice, 80)

    def opens(person: User) -> list[bool]:
        found = similar.to(refund, refund.action, person, clock.now())
        assert [each.request for each in found.latest] == [past]
        return [each.may_open for each in found.latest]

    assert opens(alice) == [True]
    assert opens(charlie) == [False]


@pytest.mark.django_db
def test_it_costs_as_much_however_many_there_are(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as asked:
            similar.to(refund, refund.action, alice, clock.now())
        return len(asked)

    decided(agent, alice, 80)
    cost()
    one = cost()
    for amount in range(81, 90):
        decided(agent, alice, amount)
    assert cost() == one


@pytest.mark.django_db
def test_it_reads_along_an_index(refund: ApprovalRequest) -> None:
    rows = similar.rows_of(refund.action, None, clock.now())
    if connection.vendor == "sqlite":
        assert "action_asked_by_name" in rows.explain()


# Before and after


def test_before_and_after_are_compared() -> None:
    context = {
        "before": {"limit": 500, "tier": "gold", "old": 1},
        "after": {"limit": 5000, "tier": "gold", "new": None},
        "order_total": 129,
    }
    found = foreseen.of(context, NOW)
    assert found

    told = {each.fact.path[0]: each.kind for each in found.changes}
    assert told == {"limit": "changed", "old": "removed", "new": "added"}
    assert [fact.path for fact in found.same] == [("tier",)]
    assert [fact.path for fact in foreseen.rest(context, NOW)] == [("order_total",)]


@pytest.mark.parametrize("context", [{}, {"before": 1}, {"after": {}}, {"x": 1}])
def test_without_both_there_is_nothing_to_compare(context: dict[str, Any]) -> None:
    assert foreseen.of(context, NOW) is None
    left = foreseen.rest(context, NOW)
    assert {fact.path[0] for fact in left} == set(context)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("draft", "sent", [("draft", "sent")]),
        (None, {"a": 1}, [(None, "1")]),
        ({"a": 1}, None, [("1", None)]),
        (None, {}, [("null", "{}")]),
        ([1, 2], [1, 3, 4], [("2", "3"), (None, "4")]),
        ({"a": {"b": 1}}, {"a": 1}, [(None, "1"), ("1", None)]),
        ({"a": 1}, {"a": 1.0}, []),
    ],
)
def test_any_json_can_be_compared(before: Any, after: Any, changes: list[Any]) -> None:
    found = foreseen.of({"before": before, "after": after}, NOW)
    assert found

    assert [
        (each.before and each.before.text, each.after and each.after.text)
        for each in found.changes
    ] == changes


@pytest.mark.django_db
def test_the_page_marks_it_as_the_agents_word(
    refund_rules: None, agent: Agent, alice: User
) -> None:
    context = {"before": {"limit": 500}, "after": {"limit": 5000}, "note": "x"}
    html = page(alice, make_request(agent, context=context))
    says = section(html, "says")

    assert "Unverified" in says
    assert (
        "What would change, by its word What Before After limit (changed) 500 5000"
        in says
    )
    assert "What else it says note x" in says
    assert "5000" not in section(html, "facts")
