"""Everything a rule may ask for, alone and together, decides what it says it decides."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from governance.errors import Refused
from policies import services
from policies.bodies import Subject
from policies.engine import Verdict, compile_rules, judge
from policies.rules import (
    ActionType,
    AgentFacts,
    Calendar,
    Decision,
    Facts,
    History,
    Lookback,
    Period,
    Policy,
    Resource,
    RiskFactor,
    RuleSet,
)
from tests.policies.making import factor, policy

# A Wednesday, half past two in the afternoon in Berlin.
NOW = datetime(2026, 11, 25, 13, 30, tzinfo=UTC)
CHRISTMAS = datetime(2026, 12, 25, 13, 30, tzinfo=UTC)
LOOKBACKS = (
    Lookback("customer", ("*",), "params.customer_id", timedelta(days=30)),
    Lookback("agent_day", ("*",), "agent.name", Period.DAY, "params.amount"),
    Lookback("payees", ("*",), "", Period.WEEK, distinct="params.iban"),
)
CALENDARS = (
    Calendar("office", "Europe/Berlin", holidays=frozenset({date(2026, 12, 25)})),
    Calendar("nights", "Asia/Tokyo", tuple(range(7)), ((0, 360), (1320, 1440))),
)
FOUND = {
    "customer": History(2),
    "agent_day": History(40, 1990.0),
    "payees": History(9, None, 3),
}


def ask(when: str, **given: Any) -> Verdict:
    actions = given.pop("actions", ("refund.create",))
    rules = RuleSet(
        policies=(
            Policy("asked", 1, actions, Decision.BLOCK, "", when),
            Policy("else", 1, ("*",), Decision.ALLOW, ""),
        ),
        lookbacks=LOOKBACKS,
        calendars=CALENDARS,
        action_types=(ActionType("refund.create", base_risk=20),),
        resources=(Resource("order", "VIP-*", 40), Resource("order", "*", 10)),
        risk_factors=(
            RiskFactor("late", ("refund.*",), 15, "!calendar.office.open"),
            RiskFactor("often", ("refund.*",), 30, "history.customer.count > 1"),
        ),
    )
    known = {
        "action": "refund.create",
        "params": {"amount": 49.0, "currency": "USD", "customer_id": "C-7"},
        "agent": AgentFacts("refund-bot", "production", ("eu", "pii")),
        "now": NOW,
        "resource": {"type": "order", "id": "VIP-1"},
        "context": {"order_total": 129},
        "history": FOUND,
    }
    return judge(compile_rules(rules), Facts(**{**known, **given}))


ALONE = {
    "action": "action == 'refund.create'",
    "value": "params.amount < 50",
    "sensitivity": "resource.sensitivity >= 40",
    "resource": "resource.type == 'order' && resource.id.startsWith('VIP-')",
    "risk": "risk == 90",
    "agent": "agent.name == 'refund-bot'",
    "environment": "agent.environment == 'production'",
    "tags": "'pii' in agent.tags",
    "context": "params.amount <= context.order_total",
    "hour": "now.getHours('Europe/Berlin') >= 14",
    "weekday": "now.getDayOfWeek('Europe/Berlin') == 3",
    "open": "calendar.office.open",
    "workday": "calendar.office.workday",
    "elsewhere": "calendar.nights.open",
    "count": "history.customer.count == 2",
    "sum": "history.agent_day.sum + params.amount > 2000.0",
    "distinct": "history.payees.distinct >= 3",
}
NOT_SO: dict[str, dict[str, Any]] = {
    "action": {"action": "refund.void", "actions": ("*",)},
    "value": {"params": {"amount": 50.0, "customer_id": "C-7"}},
    "sensitivity": {"resource": {"type": "order", "id": "A-1"}},
    "resource": {"resource": {"type": "account", "id": "VIP-1"}},
    "risk": {"resource": {"type": "order", "id": "A-1"}},
    "agent": {"agent": AgentFacts("other-bot")},
    "environment": {"agent": AgentFacts("refund-bot", "staging", ("pii",))},
    "tags": {"agent": AgentFacts("refund-bot")},
    "context": {"context": {"order_total": 48}},
    "hour": {"now": NOW - timedelta(hours=1)},
    "weekday": {"now": NOW + timedelta(days=1)},
    "open": {"now": NOW + timedelta(hours=3)},
    "workday": {"now": CHRISTMAS},
    "elsewhere": {"now": NOW + timedelta(hours=9)},
    "count": {"history": {**FOUND, "customer": History(3)}},
    "sum": {"history": {**FOUND, "agent_day": History(40, 1951.0)}},
    "distinct": {"history": {**FOUND, "payees": History(9, None, 2)}},
}


@pytest.mark.parametrize("trigger", ALONE)
def test_a_trigger_alone(trigger: str) -> None:
    so, not_so = ask(ALONE[trigger]), ask(ALONE[trigger], **NOT_SO[trigger])

    assert (so.decision, not_so.decision) == (Decision.BLOCK, Decision.ALLOW)
    assert so.evaluated
    assert not_so.evaluated


@pytest.mark.parametrize("trigger", ALONE)
def test_all_triggers_together_need_each_of_them(trigger: str) -> None:
    everything = " && ".join(f"({when})" for when in ALONE.values())

    assert ask(everything).decision == Decision.BLOCK
    assert ask(everything, **NOT_SO[trigger]).decision == Decision.ALLOW


@pytest.mark.parametrize(
    ("when", "decision"),
    [
        ("!calendar.office.open || params.amount > 1000.0", Decision.ALLOW),
        ("calendar.office.open && history.payees.distinct > 2", Decision.BLOCK),
        ("calendar.office.open != calendar.nights.open", Decision.ALLOW),
        ("risk >= 90 && !('eu' in agent.tags)", Decision.ALLOW),
        ("history.customer.count > 5 || resource.sensitivity > 30", Decision.BLOCK),
        (
            "calendar.office.workday ? history.customer.count > 1 : true",
            Decision.BLOCK,
        ),
    ],
)
def test_triggers_combined(when: str, decision: Decision) -> None:
    assert ask(when).decision == decision


@pytest.mark.parametrize(
    ("pattern", "decision"),
    [
        ("refund.create", Decision.BLOCK),
        ("refund.*", Decision.BLOCK),
        ("*", Decision.BLOCK),
        ("order.*", Decision.ALLOW),
    ],
)
def test_the_action_is_a_trigger_by_itself(pattern: str, decision: Decision) -> None:
    assert ask("", actions=(pattern,)).decision == decision


def test_a_distinct_count_that_cannot_be_told_fails_closed() -> None:
    said = ask(ALONE["distinct"], history={**FOUND, "payees": History(9)})

    assert said.decision == Decision.BLOCK
    assert not said.evaluated
    assert "the lookback payees has no answer here" in said.reasons[0].reason


def test_the_trace_says_what_was_seen() -> None:
    trace = ask(f"{ALONE['distinct']} && {ALONE['workday']}").trace

    assert trace["now"] == "2026-11-25T13:30:00Z"
    assert trace["agent"] == {
        "name": "refund-bot",
        "environment": "production",
        "tags": ["eu", "pii"],
    }
    assert trace["sensitivity"] == 40
    # Not the one that nobody asked.
    assert trace["calendars"] == {"office": {"open": True, "workday": True}}
    assert trace["lookbacks"] == {
        "customer": {"count": 2, "sum": None},
        "payees": {"count": 9, "sum": None, "distinct": 3},
    }
    assert trace["facts"]["calendar.office.workday"] is True


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("when", "complaint"),
    [
        (
            "calendar.ofice.open",
            "There is no 'calendar.ofice.open': check the calendar's name; "
            "it has open and workday. (At column 15.)",
        ),
        (
            "calendar.office.closed",
            "There is no 'calendar.office.closed': check the calendar's name; "
            "it has open and workday. (At column 16.)",
        ),
        (
            "history.office.distinct > 2",
            "There is no 'history.office.distinct': check the lookback's name, "
            "and whether it has distinct. (At column 15.)",
        ),
    ],
)
def test_what_is_not_there_is_refused_with_its_place(when: str, complaint: str) -> None:
    services.save(Subject.CALENDAR, {"name": "office"})

    for subject, rule in (
        (Subject.POLICY, policy(when=when)),
        (Subject.RISK_FACTOR, factor(when=when)),
    ):
        with pytest.raises(services.Unfitting) as refused:
            services.save(subject, rule)
        assert [problem.detail for problem in refused.value.errors] == [complaint]


@pytest.mark.django_db
def test_a_calendar_that_a_condition_asks_stays() -> None:
    services.save(Subject.CALENDAR, {"name": "office"})
    services.save(Subject.POLICY, policy(when="calendar.office.open"))
    services.save(Subject.RISK_FACTOR, factor(when="!calendar.office.workday"))

    with pytest.raises(services.InUse, match="policy small, risk factor repeat"):
        services.remove(Subject.CALENDAR, "office")

    services.retire("small")
    services.remove(Subject.RISK_FACTOR, "repeat")
    services.remove(Subject.CALENDAR, "office")


@pytest.mark.django_db
def test_a_distinct_count_that_is_used_stays() -> None:
    payees = {"name": "payees", "actions": ["*"], "window": "week"}
    services.save(Subject.LOOKBACK, {**payees, "distinct": "params.iban"})
    services.save(Subject.POLICY, policy(when="history.payees.distinct > 2"))

    with pytest.raises(Refused, match="distinct is still used by policy small"):
        services.save(Subject.LOOKBACK, payees)
