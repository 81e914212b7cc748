"""Flows that apply together: each is satisfied, and nobody is asked twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies.flows import merge_flows
from policies.rules import Flow, OnTimeout, Stage

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def make_stage(*groups: str, **given: Any) -> Stage:
    return Stage(name="+".join(groups), groups=groups, **given)


def steps(*flows: Flow) -> list[tuple[str, int]]:
    return [(stage.name, stage.step) for stage in merge_flows(flows)]


def merged(one: Stage, other: Stage) -> Stage:
    (stage,) = merge_flows([Flow("a", (one,), 0), Flow("b", (other,), 1)])
    return stage


def test_flows_follow_one_another_in_the_order_of_the_file() -> None:
    first = Flow("first", (make_stage("a"), make_stage("b", step=2)), position=0)
    second = Flow("second", (make_stage("c"), make_stage("d", step=2)), position=1)

    assert steps(second, first) == [("a", 1), ("b", 2), ("c", 3), ("d", 4)]


def test_stages_of_one_step_stay_side_by_side() -> None:
    first = Flow("first", (make_stage("a", step=5), make_stage("b", step=5)), 0)
    second = Flow("second", (make_stage("c", step=2), make_stage("d", step=2)), 1)

    assert steps(first, second) == [("a", 1), ("b", 1), ("c", 2), ("d", 2)]


def test_what_two_flows_ask_is_asked_once_where_it_came_first() -> None:
    first = Flow("first", (make_stage("a"), make_stage("b", step=2)), 0)
    second = Flow("second", (make_stage("b"), make_stage("c", step=2)), 1)

    assert steps(first, second) == [("a", 1), ("b", 2), ("c", 3)]


def test_the_same_groups_in_another_order_are_the_same_groups() -> None:
    assert merged(make_stage("a", "b"), make_stage("b", "a")).groups == ("a", "b")
    assert steps(
        Flow("x", (make_stage("a", "b"),), 0), Flow("y", (make_stage("a"),), 1)
    ) == [("a+b", 1), ("a", 2)]


def test_a_flow_that_asks_twice_still_asks_twice() -> None:
    twice = Flow("twice", (make_stage("a"), make_stage("a", step=2)), 0)
    once = Flow("once", (make_stage("a", approvals=3),), 1)

    assert [s.approvals for s in merge_flows([twice])] == [1, 1]
    assert [s.approvals for s in merge_flows([twice, once])] == [3, 1]
    first = replace(once, position=-1)
    assert [s.approvals for s in merge_flows([twice, first])] == [3, 1]


def test_the_larger_number_and_the_shorter_times_stand() -> None:
    stage = merged(
        make_stage("a", approvals=1, timeout=DAY, sla=HOUR),
        make_stage("a", approvals=2, timeout=HOUR, sla=None),
    )

    assert (stage.approvals, stage.timeout, stage.sla) == (2, HOUR, HOUR)


@pytest.mark.parametrize("lenient", OnTimeout)
@pytest.mark.parametrize("strict", OnTimeout)
def test_the_stricter_silence_stands(strict: OnTimeout, lenient: OnTimeout) -> None:
    if strict.leniency > lenient.leniency:
        strict, lenient = lenient, strict

    one, other = make_stage("a", on_timeout=strict), make_stage("a", on_timeout=lenient)

    assert merged(one, other).on_timeout == strict
    assert merged(other, one).on_timeout == strict


def test_escalation_reaches_everyone_either_would_have_asked() -> None:
    one = make_stage("a", on_timeout=OnTimeout.ESCALATE, escalate_to=("b", "c"))
    other = make_stage("a", on_timeout=OnTimeout.ESCALATE, escalate_to=("c", "d"))
    rejecting = make_stage("a", on_timeout=OnTimeout.REJECT)

    assert merged(one, other).escalate_to == ("b", "c", "d")
    assert merged(one, rejecting).escalate_to == ()


@pytest.mark.parametrize(("one", "other", "risk"), [(30, 20, 20), (30, None, None)])
def test_silence_approves_only_what_both_would(
    one: int, other: int | None, risk: int | None
) -> None:
    def stage(limit: int | None) -> Stage:
        return make_stage(
            "a", on_timeout=OnTimeout.APPROVE, auto_approve_max_risk=limit
        )

    assert merged(stage(one), stage(other)).auto_approve_max_risk == risk


def test_three_flows_with_one_wish_ask_once() -> None:
    flows = [Flow(f"f{n}", (make_stage("a", approvals=n),), n) for n in (1, 3, 2)]

    assert [stage.approvals for stage in merge_flows(flows)] == [3]
