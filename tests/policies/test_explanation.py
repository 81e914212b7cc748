"""Explanations: in words, exact, and true to what was judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from approvals import services as gate
from approvals.services import Proposal
from governance.models import Agent, User
from policies import engine, evaluations, explanation, reading, samples, services
from policies.bodies import Subject
from policies.explanation import Explanation, Step, Told
from policies.rules import (
    Calendar,
    Decision,
    Lookback,
    Mode,
    Policy,
    RiskFactor,
    RuleSet,
)
from tests.approvals.factories import browser, page_of
from tests.cast import REFUND, make_user

NOON = "2026-11-25T12:00:00Z"
PARAMS: dict[str, Any] = {
    "amount": 75,
    "currency": "EUR",
    "country": "US",
    "items": [{"price": 20}],
    "quoted": "75",
    "vip": True,
}


def explain(
    *conditions: str, factor: str = "", params: dict[str, Any] = PARAMS
) -> Explanation:
    rules = engine.compile_rules(
        RuleSet(
            policies=tuple(
                Policy(f"p{number}", 1, ("*",), Decision.REQUIRE_APPROVAL, "", when)
                for number, when in enumerate(conditions)
            ),
            risk_factors=(RiskFactor("f", ("*",), 20, factor),) if factor else (),
            lookbacks=(
                Lookback("refunds", ("*",), "", timedelta(1), sum="params.amount"),
                Lookback("payees", ("*",), "", timedelta(1), distinct="params.iban"),
            ),
            calendars=(Calendar("office"),),
        )
    )
    body = {
        "action": "refund.create",
        "params": params,
        "resource": {"type": "order", "id": "A-1"},
        "context": {},
        "agent": {"name": "bot", "environment": "staging", "tags": ["beta"]},
        "history": {"refunds": {"count": 2, "sum": 450}, "payees": {"count": 4}},
        "now": NOON,
    }
    facts = samples.facts(body, rules, datetime.now(UTC))
    verdict = engine.judge(rules, facts)
    data = {**body, "risk": verdict.risk, "trace": verdict.trace}
    return explanation.explain("refund.create", data)


def told(condition: str) -> Told:
    return explain(condition).policies[0]


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("params.amount < 50", "Did not match: amount is 75, not less than 50."),
        ("params.amount >= 50", "Matched: amount is 75, at least 50."),
        ("50 <= params.amount", "Matched: amount is 75, at least 50."),
        ("params.amount > 75", "Did not match: amount is 75, at most 75."),
        ("params.amount <= 50.0", "Did not match: amount is 75, more than 50."),
        (
            "params.amount >= 50 && params.amount <= 200",
            "Matched: amount is 75, at least 50 and at most 200.",
        ),
        ('params.currency == "EUR"', "Matched: currency is EUR."),
        ('params.currency == "USD"', "Did not match: currency is EUR, not USD."),
        ('params.currency != "USD"', "Matched: currency is EUR, not USD."),
        (
            'has(params.currency) && params.currency != "USD"',
            "Matched: currency is EUR, not USD.",
        ),
        ("has(params.iban)", "Did not match: iban is missing."),
        (
            'params.country in ["DE", "FR"]',
            'Did not match: country is US, none of ["DE", "FR"].',
        ),
        ("params.vip", "Matched: vip is true."),
        ("!params.vip", "Did not match: vip is true."),
        ("risk >= 20", "Did not match: the risk is 0, less than 20."),
        (
            'agent.environment == "production"',
            "Did not match: the environment is staging, not production.",
        ),
        ('resource.type == "order"', "Matched: the kind of resource is order."),
        (
            "history.refunds.count > 0",
            "Matched: the number of earlier refunds is 2, more than 0.",
        ),
        (
            "history.refunds.sum + params.amount > 500.0",
            "Matched: history.refunds.sum + params.amount is 525, more than 500.",
        ),
        (
            "params.amount > history.refunds.sum",
            "Did not match: amount is 75, at most 450 (the sum of earlier refunds).",
        ),
        ("calendar.office.open", "Matched: it is within office hours."),
        ("!calendar.office.workday", "Did not match: it is a day of work for office."),
        (
            "params.missing > 5",
            "Could not be evaluated: params.missing is missing.",
        ),
        (
            "params.quoted > 50",
            "Could not be evaluated: params.quoted is a text and cannot be compared "
            "with a number.",
        ),
        ("", "Applies to every such action."),
        ("true", "Applies to every such action."),
    ],
)
def test_it_says_what_decided(condition: str, sentence: str) -> None:
    assert told(condition).sentence == sentence


def test_of_an_or_only_what_holds_decided() -> None:
    said = told('params.amount > 500 || params.currency == "EUR" || params.gone == 1')

    assert said.sentence == "Matched: currency is EUR."
    assert said.step
    assert [part.decided for part in said.step.parts] == [False, True, False]
    assert [part.holds for part in said.step.parts] == [False, True, None]


def test_of_an_and_only_what_fails_decided() -> None:
    said = told("params.vip && params.amount > 500 && params.gone == 1")

    assert said.sentence == "Did not match: amount is 75, at most 500."


def test_of_a_choice_only_the_branch_that_was_taken_is_told() -> None:
    said = told('params.vip ? params.currency == "USD" : params.gone')

    assert said.sentence == "Did not match: vip is true; and currency is EUR, not USD."


def test_what_is_inside_brackets_texts_and_loops_is_no_cut() -> None:
    source = 'params.items.exists(i, i.price > 10 && i.price < 30) && params.currency != "a&&b"'
    said = told(source)

    assert said.step
    assert [part.source for part in said.step.parts] == [
        "params.items.exists(i, i.price > 10 && i.price < 30)",
        'params.currency != "a&&b"',
    ]
    assert said.matched


def test_comments_and_line_breaks_do_not_disturb() -> None:
    said = told("params.vip // the best\n  &&\n  (params.amount // || x\n > 50)")

    assert said.sentence == "Matched: vip is true; and amount is 75, more than 50."


def test_a_text_of_the_agent_stays_inert_and_short() -> None:
    params = {**PARAMS, "currency": "\u202e" + "x" * 500}
    (said,) = explain('params.currency == "USD"', params=params).policies

    assert "\u202e" not in said.sentence
    assert len(said.sentence) < 150


def test_risk_factors_are_told_too() -> None:
    (factor,) = explain("", factor="params.amount > 50").factors

    assert factor.sentence == "Matched: amount is 75, more than 50."


def test_a_policy_on_trial_and_one_that_allows_are_told_apart() -> None:
    rules = engine.compile_rules(
        RuleSet(
            policies=(
                Policy("a", 1, ("*",), Decision.ALLOW, "", "params.gone == 1"),
                Policy("b", 2, ("*",), Decision.BLOCK, "", "", mode=Mode.MONITOR),
            )
        )
    )
    body = {
        "action": "x",
        "params": {},
        "resource": None,
        "context": {},
        "agent": {"name": "bot", "environment": "staging", "tags": []},
        "history": {},
        "now": NOON,
    }
    verdict = engine.judge(rules, samples.facts(body, rules, datetime.now(UTC)))
    said = explanation.explain("x", {**body, "risk": 0, "trace": verdict.trace})

    assert [each.name for each in said.heard] == ["b"]
    assert [each.name for each in said.others] == ["a"]
    assert said.heard[0].mode == "monitor"
    assert said.by_default


# Whatever the condition, its parts come to what the whole does.

atoms = st.sampled_from(
    [
        "params.vip",
        "params.gone",
        "params.amount > 50",
        "params.amount < 50",
        'params.currency == "E||R"',
        "has(params.country)",
        "params.items.all(i, i.price > 0 || i.price < 9)",
    ]
)


def joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(parts, st.sampled_from(["&&", "||"]), parts).map(
            lambda t: f"({t[0]}) {t[1]} {t[2]}" if "?" not in t[2] else f"({t[2]})"
        ),
        parts.map(lambda part: f"!({part})"),
        st.tuples(parts, parts, parts).map(lambda t: f"({t[0]}) ? ({t[1]}) : ({t[2]})"),
    )


@given(st.recursive(atoms, joined, max_leaves=8))
def test_the_parts_come_to_what_the_whole_does(condition: str) -> None:
    said = told(condition)

    assert said.step
    assert said.step.holds == said.matched
    check(said.step)


def check(step: Step) -> None:
    values = [part.holds for part in step.parts]
    match step.operator:
        case "&&":
            assert step.holds == _all(values)
        case "||":
            inverse = [None if v is None else not v for v in values]
            found = _all(inverse)
            assert step.holds == (None if found is None else not found)
        case "!":
            assert step.holds == (None if values[0] is None else not values[0])
        case "?" if values[0] is not None:
            assert step.holds == values[1]
    for part in step.parts:
        check(part)


def _all(values: list[bool | None]) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def test_cutting_leaves_the_letters_alone() -> None:
    whole = reading.cut("a.b && (c || d) && !e")

    assert (whole.operator, whole.parts) == ("&&", ("a.b", "c || d", "!e"))
    assert reading.cut('r"\\" == x || y').parts == ('r"\\" == x', "y")
    assert reading.cut("params.?a.orValue(false)").parts == ()


# On record, on the page, and in the terminal


@pytest.fixture
def submitted(agent: Agent, refund_rules: None, bob: User) -> Any:
    proposal = Proposal("refund.create", {**REFUND, "amount": 75})
    course, _ = gate.submit(agent, proposal)
    return course


@pytest.mark.django_db
def test_what_is_on_record_explains_itself(submitted: Any) -> None:
    (found,) = evaluations.of(submitted.action)

    heard = {told.name: told.sentence for told in found.explained.heard}
    assert heard == {
        "refunds-50-to-200": "Matched: amount is 75, at least 50 and at most 200."
    }
    others = {told.name: told.sentence for told in found.explained.others}
    assert others["repeat-refund"] == (
        "Did not match: the number of earlier customer refunds is 0, at most 0."
    )


@pytest.mark.django_db
def test_it_stays_the_same_when_the_rules_change(submitted: Any) -> None:
    (before,) = evaluations.of(submitted.action)
    call_command("load_policies", "examples/refunds.yaml", stdout=StringIO())
    services.retire("refunds-50-to-200")
    services.remove(Subject.RISK_FACTOR, "repeat-customer")

    (after,) = evaluations.of(submitted.action)
    assert after == before


@pytest.mark.django_db
def test_the_command_explains(submitted: Any) -> None:
    out = StringIO()
    call_command("explain", str(submitted.action.pk), steps=True, stdout=out)

    said = out.getvalue()
    assert "REQUIRE_APPROVAL, risk 20" in said
    assert "Matched: amount is 75, at least 50 and at most 200." in said
    assert "yes params.amount >= 50" in said
    with pytest.raises(CommandError, match="There is no action nonsense"):
        call_command("explain", "nonsense", stdout=StringIO())


@pytest.mark.django_db
def test_the_pages_explain(submitted: Any, bob: User, charlie: User) -> None:
    review = browser(bob).get(page_of(submitted.request)).content.decode()
    assert "Matched: amount is 75, at least 50 and at most 200." in review
    assert "Every policy that was asked (6)" in review

    page = f"/admin/policies/policy/explain/{submitted.action.pk}/"
    assert browser(charlie).get(page).status_code == 403
    chief = make_user("chief", is_superuser=True)
    shown = browser(chief).get(page).content.decode()
    assert "Did not match: amount is 75, not less than 50." in shown
    action = f"/admin/governance/action/{submitted.action.pk}/change/"
    assert page in browser(chief).get(action).content.decode()
