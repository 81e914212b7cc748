"""The engine against a reference of twenty lines, over rules nobody thought of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.engine import compile_rules, judge
from policies.rules import Decision, Default, Facts, Flow, Mode, Policy, RuleSet, Stage
from tests.policies.facts import make_facts

FLOWS = (Flow("people", (Stage("People", ("people",)),)),)
OPERATORS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}

# A condition as data: (field, operator, number, negated), or None for always.
Test = tuple[str, str, int, bool]
Rule = tuple[Policy, Test | None]

tests = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from(sorted(OPERATORS)),
    st.integers(-3, 3),
    st.booleans(),
)
values = st.one_of(
    st.integers(-3, 3),
    st.floats(-3, 3),
    st.booleans(),
    st.none(),
    st.sampled_from(["1", "", "\u0661"]),
    st.lists(st.integers(-3, 3), max_size=2),
    st.dictionaries(st.just("a"), st.integers(-3, 3), max_size=1),
)
facts = st.builds(
    lambda action, params: make_facts(action, params=params),
    st.sampled_from(["x.y", "x.z", "w"]),
    st.dictionaries(st.sampled_from(["a", "b"]), values, max_size=2),
)
defaults = st.sampled_from(
    [None, *(Default(decision, "people") for decision in Decision)]
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    test = draw(st.none() | tests)
    policy = Policy(
        name="p",
        version=1,
        actions=(draw(st.sampled_from(["*", "x.*", "x.y", "w"])),),
        decision=draw(st.sampled_from(Decision)),
        reason="because",
        when=source(test) if test else "",
        flow="people",
        mode=draw(st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.MONITOR])),
    )
    return policy, test


def source(test: Test) -> str:
    name, operator, number, negated = test
    comparison = f"params.{name} {operator} {number}"
    return f"!({comparison})" if negated else comparison


def answer(test: Test | None, params: Any) -> bool | None:
    """True, false, or None when there is no answer."""
    if test is None:
        return True
    name, operator, number, negated = test
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return OPERATORS[operator](value, number) is not negated


def reference(found: list[Rule], facts: Facts, default: Default | None) -> Decision:
    said = []
    for policy, test in found:
        pattern = policy.actions[0]
        covered = pattern in ("*", facts.action) or (
            pattern == "x.*" and facts.action.startswith("x.")
        )
        truth = answer(test, facts.params)
        strict = policy.decision != Decision.ALLOW
        if (
            covered
            and policy.mode == Mode.ENFORCE
            and (truth or (truth is None and strict))
        ):
            said.append(policy.decision)
    for decision in (Decision.BLOCK, Decision.REQUIRE_APPROVAL, Decision.ALLOW):
        if decision in said:
            return decision
    return default.decision if default else Decision.BLOCK


def decide(found: list[Rule], facts: Facts, default: Default | None) -> Decision:
    policies = tuple(policy for policy, _ in found)
    rule_set = RuleSet(policies=policies, flows=FLOWS, default=default)
    return judge(compile_rules(rule_set), facts).decision


@given(st.lists(rules(), max_size=6), facts, defaults)
def test_it_agrees_with_the_reference(
    found: list[Rule], facts: Facts, default: Default | None
) -> None:
    assert decide(found, facts, default) == reference(found, facts, default)


@given(st.lists(rules(), max_size=6), facts)
def test_it_allows_only_what_some_policy_knowingly_allows(
    found: list[Rule], facts: Facts
) -> None:
    if decide(found, facts, None) == Decision.ALLOW:
        assert any(
            policy.decision == Decision.ALLOW and answer(test, facts.params)
            for policy, test in found
        )


@given(st.lists(rules(), max_size=5), rules(), facts, defaults)
def test_another_block_never_loosens(
    found: list[Rule], extra: Rule, facts: Facts, default: Default | None
) -> None:
    block = replace(extra[0], decision=Decision.BLOCK)

    before = decide(found, facts, default)
    after = decide([*found, (block, extra[1])], facts, default)

    assert after.strictness >= before.strictness


@given(st.data(), st.lists(rules(), max_size=6), facts, defaults)
def test_the_order_of_policies_decides_nothing(
    data: st.DataObject, found: list[Rule], facts: Facts, default: Default | None
) -> None:
    shuffled = data.draw(st.permutations(found))

    assert decide(shuffled, facts, default) == decide(found, facts, default)
