"""Flows that apply together: each is satisfied, and nobody is asked twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.flows import merge_flows
from policies.rules import Do, Flow, OnTimeout, Silence, Stage

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


# Chains, calendars, and how many must reject


def chain(*steps: tuple[int, Do], limit: int | None = None) -> tuple[Silence, ...]:
    return tuple(
        Silence(
            hours * HOUR,
            do,
            to=("legal",) if do == Do.ESCALATE else (),
            max_risk=limit if do == Do.APPROVE else None,
        )
        for hours, do in steps
    )


def test_the_smaller_number_of_rejections_stands() -> None:
    assert merged(make_stage("a", rejections=3), make_stage("a")).rejections == 1


def test_it_is_passed_on_only_to_whom_both_would() -> None:
    one = make_stage("a", reassign_to=("b", "c"))

    assert merged(one, make_stage("a", reassign_to=("c", "d"))).reassign_to == ("c",)
    assert merged(one, make_stage("a")).reassign_to == ()


REJECTS = chain((1, Do.REMIND), (8, Do.REJECT))
ESCALATES = chain((1, Do.REMIND), (4, Do.ESCALATE), (6, Do.REJECT))
HOLDS = chain((2, Do.ESCALATE), (4, Do.HOLD))
APPROVES = chain((1, Do.REMIND), (3, Do.APPROVE), limit=30)


@pytest.mark.parametrize(
    ("strict", "lax", "left"),
    [
        # The stricter end stands, and the shorter of both.
        (REJECTS, ESCALATES, chain((1, Do.REMIND), (6, Do.REJECT))),
        (REJECTS, APPROVES, chain((1, Do.REMIND), (3, Do.REJECT))),
        (ESCALATES, HOLDS, chain((1, Do.REMIND), (4, Do.REJECT))),
        (HOLDS, APPROVES, chain((2, Do.ESCALATE), (3, Do.HOLD))),
        # Of two alike, the one that ends sooner.
        (chain((2, Do.REJECT)), REJECTS, chain((2, Do.REJECT))),
        # Waiting for ever is holding.
        ((), APPROVES, chain((3, Do.HOLD))),
        (REJECTS, (), REJECTS),
    ],
)
def test_of_two_chains_the_stricter_stands_as_a_whole(
    strict: tuple[Silence, ...], lax: tuple[Silence, ...], left: tuple[Silence, ...]
) -> None:
    def stage(steps: tuple[Silence, ...]) -> Stage:
        lasting = OnTimeout.REJECT if steps else OnTimeout.HOLD
        return make_stage("a", silence=steps, on_timeout=lasting)

    assert merged(stage(strict), stage(lax)).chain() == left
    assert merged(stage(lax), stage(strict)).chain() == left


def test_a_chain_and_a_timeout_are_compared_alike() -> None:
    timed = make_stage(
        "a", timeout=2 * HOUR, on_timeout=OnTimeout.ESCALATE, escalate_to=("b",)
    )
    stage = merged(make_stage("a", silence=HOLDS), timed)

    assert stage.chain() == timed.chain()
    assert (stage.timeout, stage.escalate_to) == (None, ())


@pytest.mark.parametrize(("limit", "left"), [(20, 20), (40, 30), (None, None)])
def test_chains_approve_only_what_both_would(
    limit: int | None, left: int | None
) -> None:
    timed = make_stage(
        "a",
        timeout=8 * HOUR,
        on_timeout=OnTimeout.APPROVE,
        auto_approve_max_risk=limit,
    )
    [*_, last] = merged(make_stage("a", silence=APPROVES), timed).chain()

    assert (last.do, last.after, last.max_risk) == (Do.APPROVE, 3 * HOUR, left)


def test_the_stricter_silence_brings_its_calendar() -> None:
    def rejecting(calendar: str | None, hours: int = 8) -> Stage:
        return make_stage("a", timeout=hours * HOUR, calendar=calendar)

    assert merged(rejecting("berlin"), rejecting("tokyo", 4)).calendar == "tokyo"
    assert merged(rejecting("berlin"), rejecting("tokyo")).calendar == "berlin"
    # The same number of hours passes sooner when every hour counts.
    assert merged(rejecting("berlin"), rejecting(None)).calendar is None
    same = merged(rejecting("berlin"), rejecting("berlin", 4))
    assert (same.calendar, same.timeout) == ("berlin", 4 * HOUR)


SPANS = st.integers(1, 40).map(lambda quarters: timedelta(minutes=15 * quarters))


@st.composite
def silences(draw: st.DrawFn) -> dict[str, Any]:
    """A silence as an author may write it, in either form."""
    calendar = draw(st.sampled_from([None, "berlin", "tokyo"]))
    limit = draw(st.integers(0, 100))
    if draw(st.booleans()):
        what = draw(st.sampled_from(OnTimeout))
        return {
            "timeout": draw(SPANS),
            "on_timeout": what,
            "escalate_to": ("legal",) if what == OnTimeout.ESCALATE else (),
            "auto_approve_max_risk": limit if what == OnTimeout.APPROVE else None,
            "calendar": calendar,
        }
    times = sorted(draw(st.sets(SPANS, min_size=1, max_size=4)))
    *before, end = times
    steps = [
        Silence(t, draw(st.sampled_from([Do.REMIND, Do.ESCALATE]))) for t in before
    ]
    last = draw(st.sampled_from([Do.REJECT, Do.HOLD, Do.APPROVE]))
    steps.append(Silence(end, last, max_risk=limit if last == Do.APPROVE else None))
    return {"silence": tuple(steps), "calendar": calendar}


def _approves(stage: Stage) -> Silence | None:
    last = stage.chain()[-1]
    return last if last.do == Do.APPROVE else None


@given(silences(), silences())
def test_silence_never_does_more_than_both_would(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = make_stage("a", **one), make_stage("a", **other)
    both = merged(first, second)

    ends = [stage.chain()[-1].after for stage in (first, second)]
    assert both.chain()[-1].after <= max(ends)
    times = [step.after for step in both.chain()]
    assert times == sorted(set(times))
    if approves := _approves(both):
        limits = [_approves(stage) for stage in (first, second)]
        assert all(limits)
        assert approves.max_risk == min(a.max_risk for a in limits if a)  # type: ignore[type-var]
    # Whose flow comes first decides nothing about silence.
    swapped = merged(second, first)
    assert (both.chain(), both.calendar) == (swapped.chain(), swapped.calendar)
