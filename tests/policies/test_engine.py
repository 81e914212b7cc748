"""The engine: it says to an action what the policies say."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from policies.engine import (
    NO_POLICY,
    Verdict,
    compile_rules,
    judge,
    lookbacks_for,
    lookup,
)
from policies.patterns import is_pattern
from policies.rules import (
    ActionType,
    Decision,
    Default,
    Flow,
    History,
    Lookback,
    Mode,
    OnTimeout,
    Policy,
    Resource,
    RiskFactor,
    RuleSet,
    Stage,
)
from policies.situation import MISSING
from tests.policies.facts import make_facts

ALLOW, ASK, BLOCK = Decision.ALLOW, Decision.REQUIRE_APPROVAL, Decision.BLOCK
MONTH = timedelta(days=30)

MANAGERS = Flow("managers", (Stage("Manager", ("managers",)),), position=0)
FINANCE = Flow("finance", (Stage("Finance", ("finance",), approvals=2),), position=1)


def make_policy(name: str, decision: Decision, when: str = "", **given: Any) -> Policy:
    given.setdefault("actions", ("refund.create",))
    if decision == ASK:
        given.setdefault("flow", "managers")
    return Policy(
        name=name, version=1, decision=decision, when=when, reason=name, **given
    )


def make_rules(*policies: Policy, **given: Any) -> RuleSet:
    given.setdefault("flows", (MANAGERS, FINANCE))
    return RuleSet(policies=policies, **given)


def verdict(rules: RuleSet, **given: Any) -> Verdict:
    return judge(compile_rules(rules), make_facts(**given))


REFUNDS = make_rules(
    make_policy("small-refunds", ALLOW, "params.amount < 50"),
    make_policy(
        "refunds-50-to-200", ASK, "params.amount >= 50 && params.amount <= 200"
    ),
    make_policy("large-refunds", ASK, "params.amount > 200", flow="finance"),
    make_policy("repeat-refunds", ASK, "history.customer_refunds.count > 0"),
    lookbacks=(
        Lookback(
            "customer_refunds",
            ("refund.create",),
            "params.customer_id",
            MONTH,
            "params.amount",
        ),
    ),
    action_types=(ActionType("refund.create", base_risk=20),),
    resources=(Resource("order", "*", 10),),
    risk_factors=(
        RiskFactor("large-amount", ("refund.*",), 40, "params.amount > 500"),
    ),
)


@pytest.mark.parametrize(
    ("amount", "earlier", "decision", "flows", "by"),
    [
        (1, 0, ALLOW, (), ["small-refunds"]),
        (49.99, 0, ALLOW, (), ["small-refunds"]),
        (50, 0, ASK, ("managers",), ["refunds-50-to-200"]),
        (75, 0, ASK, ("managers",), ["refunds-50-to-200"]),
        (200, 0, ASK, ("managers",), ["refunds-50-to-200"]),
        (200.01, 0, ASK, ("finance",), ["large-refunds"]),
        (20, 1, ASK, ("managers",), ["repeat-refunds", "small-refunds"]),
        (300, 1, ASK, ("managers", "finance"), ["large-refunds", "repeat-refunds"]),
    ],
)
def test_the_refund_story(
    amount: float, earlier: int, decision: Decision, flows: Any, by: list[str]
) -> None:
    said = verdict(
        REFUNDS,
        params={"amount": amount, "customer_id": "C-7"},
        history={"customer_refunds": History(earlier, 0.0)},
    )

    assert said.decision == decision
    assert said.flows == flows
    assert [reason.policy for reason in said.reasons] == by
    assert said.evaluated


def test_the_strictest_decision_wins_and_all_that_matched_are_listed() -> None:
    rules = make_rules(
        make_policy("a", ALLOW),
        make_policy("b", ASK),
        make_policy("c", BLOCK),
        make_policy("d", BLOCK, "false"),
        make_policy("e", BLOCK),
        make_policy("f", ASK),
    )

    said = verdict(rules)

    assert said.decision == BLOCK
    assert [reason.policy for reason in said.reasons] == ["c", "e", "b", "f", "a"]
    assert said.stages == ()


def test_without_a_match_and_a_default_it_blocks() -> None:
    said = verdict(make_rules(make_policy("other", ALLOW, actions=("order.ship",))))

    assert said.decision == BLOCK
    assert [reason.as_data() for reason in said.reasons] == [
        {"policy": None, "version": None, "decision": "BLOCK", "reason": NO_POLICY}
    ]
    assert NO_POLICY == "no_policy"


def test_without_a_match_the_default_applies() -> None:
    said = verdict(make_rules(default=Default(ASK, "finance")))

    assert said.decision == ASK
    assert said.flows == ("finance",)
    assert [stage.name for stage in said.stages] == ["Finance"]
    assert said.reasons[0].as_data() == {
        "policy": None,
        "version": None,
        "decision": "REQUIRE_APPROVAL",
        "reason": "No policy matched: the default applies.",
    }


@pytest.mark.parametrize("decision", [BLOCK, ASK])
def test_an_unanswerable_condition_counts_for_the_strict(decision: Decision) -> None:
    said = verdict(make_rules(make_policy("p", decision, "params.amount > 200")))

    assert said.decision == decision
    assert said.reasons[0].reason == (
        "p (could not be evaluated: params.amount is missing)"
    )
    assert not said.evaluated


def test_an_unanswerable_condition_never_allows() -> None:
    said = verdict(make_rules(make_policy("p", ALLOW, "params.amount < 50")))

    assert said.decision == BLOCK
    assert said.reasons[0].reason == NO_POLICY
    assert not said.evaluated


@pytest.mark.parametrize("amount", [True, "75", "5E+1", None, [5], {"a": 5}])
@pytest.mark.parametrize(
    "when", ["{} < 50", "{} != 75", "!({} == 75)", "!({} in [75])"]
)
def test_an_amount_that_is_no_number_never_allows(amount: Any, when: str) -> None:
    rules = make_rules(make_policy("p", ALLOW, when.format("params.amount")))

    assert verdict(rules, params={"amount": amount}).decision == BLOCK


def test_params_nobody_can_read_are_an_unanswered_condition() -> None:
    rules = make_rules(make_policy("a", ALLOW), make_policy("b", ASK, "risk > 90"))

    said = verdict(rules, params={"amount": float("nan")})

    assert said.decision == ASK
    assert "a number is out of range" in said.reasons[0].reason


def test_a_condition_that_no_longer_compiles_is_an_unanswered_one() -> None:
    policies = [make_policy(d, d, "history.gone.count == 0") for d in (ALLOW, BLOCK)]
    rules = compile_rules(make_rules(*policies))

    said = judge(rules, make_facts())

    assert len(rules.broken) == 2
    assert [reason.policy for reason in said.reasons] == ["BLOCK"]
    assert "There is no 'history.gone.count'" in said.reasons[0].reason


@pytest.mark.parametrize("mode", [Mode.DRAFT, Mode.RETIRED])
def test_drafts_and_retired_policies_say_nothing(mode: Mode) -> None:
    said = verdict(make_rules(make_policy("p", ALLOW, mode=mode)))

    assert said.decision == BLOCK
    assert said.trace["policies"] == []


def test_a_monitored_policy_is_on_record_and_changes_nothing() -> None:
    rules = make_rules(
        make_policy("real", ALLOW),
        make_policy("trial", BLOCK, "params.nope == 1", mode=Mode.MONITOR),
    )

    said = verdict(rules)

    assert said.decision == ALLOW
    assert [reason.policy for reason in said.reasons] == ["real"]
    assert [reason.policy for reason in said.monitored] == ["trial"]
    assert said.evaluated
    assert [entry["mode"] for entry in said.trace["policies"]] == ["enforce", "monitor"]


@pytest.mark.parametrize(
    ("pattern", "action", "covered"),
    [
        ("*", "refund.create", True),
        ("refund.create", "refund.create", True),
        ("refund.*", "refund.create", True),
        ("refund.*", "refund.partial.create", True),
        ("refund.partial.*", "refund.partial.create", True),
        ("refund.*", "refund", False),
        ("refund.*", "refunds.create", False),
        ("refund", "refund.create", False),
        ("refund.create", "refund.create.again", False),
    ],
)
def test_patterns_cover_actions(pattern: str, action: str, covered: bool) -> None:
    rules = make_rules(make_policy("p", ALLOW, actions=(pattern,)))

    assert is_pattern(pattern)
    assert (verdict(rules, action=action).decision == ALLOW) is covered


@pytest.mark.parametrize(
    "pattern", ["", "*.create", "refund*", "Refund.*", "a..b", ".*"]
)
def test_other_patterns_are_none(pattern: str) -> None:
    assert not is_pattern(pattern)


def test_a_policy_named_by_two_patterns_speaks_once() -> None:
    rules = make_rules(make_policy("p", ALLOW, actions=("*", "refund.*", "*")))

    assert len(verdict(rules).reasons) == 1


@pytest.mark.parametrize(
    ("params", "resource", "risk"),
    [
        ({"amount": 75}, None, 20),
        ({"amount": 75}, {"type": "order", "id": "A-1"}, 30),
        ({"amount": 75}, {"type": "parcel", "id": "A-1"}, 20),
        ({"amount": 501}, {"type": "order", "id": "A-1"}, 70),
        # Nobody can say whether it is large: it counts as if it were.
        ({}, {"type": "order", "id": "A-1"}, 70),
    ],
)
def test_risk_adds_up_on_the_server(params: Any, resource: Any, risk: int) -> None:
    said = verdict(REFUNDS, params=params, resource=resource)

    assert said.risk == risk
    assert sum(part.points for part in said.risk_parts) == risk


@pytest.mark.parametrize(("points", "risk"), [(500, 100), (-500, 0), (30, 30)])
def test_risk_stays_between_0_and_100(points: int, risk: int) -> None:
    rules = make_rules(risk_factors=(RiskFactor("f", ("*",), points),))

    assert verdict(rules).risk == risk


def test_risk_is_not_taken_from_the_agent() -> None:
    rules = make_rules(make_policy("p", ALLOW, "risk == 0"))

    assert verdict(rules, params={"risk": 99}, context={"risk": 99}).decision == ALLOW


def test_an_action_outside_the_catalogue_has_no_risk_and_the_usual_grant() -> None:
    said = verdict(make_rules())

    assert (said.risk, said.grant, said.reversible) == (0, timedelta(hours=1), False)


def test_an_exact_resource_comes_before_a_pattern() -> None:
    catalogue = (
        Resource("account", "*", 10),
        Resource("account", "eu-*", 50),
        Resource("account", "eu-1", 5),
    )
    rules = make_rules(resources=catalogue)
    ids = ["us-1", "eu-2", "eu-1", "eu-*"]

    risks = [verdict(rules, resource={"type": "account", "id": i}).risk for i in ids]

    assert risks == [10, 50, 5, 50]


@pytest.mark.parametrize("flow", ["nope", "empty", None])
def test_approval_by_nobody_is_a_block(flow: str | None) -> None:
    rules = make_rules(
        make_policy("p", ASK, flow=flow), make_policy("q", ASK), flows=(MANAGERS,)
    )

    said = verdict(rules)

    assert said.decision == BLOCK
    assert said.stages == ()
    assert "asks nobody" in said.reasons[0].reason


def test_flows_come_in_the_order_of_the_file_and_once() -> None:
    rules = make_rules(
        make_policy("a", ASK, flow="finance"),
        make_policy("b", ASK, flow="managers"),
        make_policy("c", ASK, flow="finance"),
    )

    said = verdict(rules)

    assert said.flows == ("managers", "finance")
    assert [(s.name, s.step) for s in said.stages] == [("Manager", 1), ("Finance", 2)]


def test_the_trace_tells_the_whole_story_in_json() -> None:
    said = verdict(
        REFUNDS,
        params={"amount": 75, "note": "x" * 500},
        resource={"type": "order", "id": "A-1"},
        history={"customer_refunds": History(2, 40.5)},
    )

    trace = json.loads(json.dumps(said.trace))

    matched = {entry["policy"]: entry["matched"] for entry in trace["policies"]}
    assert matched == {
        "small-refunds": False,
        "refunds-50-to-200": True,
        "large-refunds": False,
        "repeat-refunds": True,
    }
    assert trace["policies"][0]["when"] == "params.amount < 50"
    assert trace["facts"] == {"params.amount": 75, "history.customer_refunds.count": 2}
    assert trace["lookbacks"] == {"customer_refunds": {"count": 2, "sum": 40.5}}
    assert trace["risk"] == [
        {"what": "action type refund.create", "points": 20},
        {"what": "resource order", "points": 10},
    ]


def test_the_trace_names_what_was_missing() -> None:
    trace = verdict(REFUNDS).trace

    assert trace["policies"][0]["matched"] == "error"
    assert trace["policies"][0]["error"] == "params.amount is missing"
    assert trace["missing"] == ["params.amount", "history.customer_refunds.count"]
    assert trace["lookbacks"] == {"customer_refunds": None}


def test_the_same_facts_get_the_same_verdict() -> None:
    given = {"params": {"amount": 300}, "history": {"customer_refunds": History(1)}}

    assert verdict(REFUNDS, **given) == verdict(REFUNDS, **given)


def test_it_names_the_lookbacks_to_read_and_to_count() -> None:
    others = ("order.*",)
    rules = compile_rules(
        make_rules(
            make_policy("p", ALLOW, "history.read.count == 0"),
            make_policy("q", ALLOW, "history.apart.count == 0", actions=others),
            make_policy("r", ALLOW, "history.old.count == 0", mode=Mode.RETIRED),
            risk_factors=(RiskFactor("f", ("*",), 5, "history.risky.sum > 5.0"),),
            lookbacks=(
                Lookback("old", others, "params.c", MONTH),
                Lookback("read", others, "params.c", MONTH),
                Lookback("apart", others, "params.c", MONTH),
                Lookback("risky", others, "params.c", MONTH, "params.amount"),
                Lookback("counting", ("refund.*",), "params.c", MONTH),
            ),
        )
    )

    read = [lookback.name for lookback in rules.read_by("refund.create")]
    counted = [lookback.name for lookback in rules.counted_by("refund.create")]

    assert read == ["read", "risky"]
    assert counted == ["counting"]
    both = [lookback.name for lookback in lookbacks_for(rules, "refund.create")]
    assert both == ["read", "risky", "counting"]


def test_a_lookup_follows_a_path_as_far_as_it_goes() -> None:
    values = {"params": {"customer": {"id": 7, "none": None}, "list": [1]}}

    assert lookup(values, "params.customer.id") == 7
    assert lookup(values, "params.customer.none") is None
    for path in ["params.nope", "params.customer.id.x", "params.list.0", "", "params."]:
        assert lookup(values, path) is MISSING


def test_ten_thousand_policies_are_not_looked_at_one_by_one() -> None:
    policies = [
        make_policy(f"p{n}", ALLOW, "params.amount < 50", actions=(f"act{n}.create",))
        for n in range(10_000)
    ]

    said = verdict(make_rules(*policies), action="act7.create", params={"amount": 5})

    assert said.decision == ALLOW
    assert len(said.trace["policies"]) == 1


def test_strictness_has_an_order() -> None:
    assert ALLOW.strictness < ASK.strictness < BLOCK.strictness
    assert [s.leniency for s in OnTimeout] == [0, 1, 2, 3]
