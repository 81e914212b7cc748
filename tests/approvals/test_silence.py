"""Silence step by step: exact at every moment, whenever somebody looks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.course import Course
from governance.models import Status
from tests.approvals.courses import (
    ALICE,
    BOB,
    FINANCE,
    HOUR,
    MANAGERS,
    T0,
    chain,
    course,
    kinds,
    stage,
    vote,
)

LONG = chain(
    (1, "remind"), (2, "escalate"), (3, "remind"), (5, "escalate"), (8, "reject")
)


def clocks(of: Course) -> tuple[Any, ...]:
    """When it reminds, when it decides, and when the worker has to look: in hours."""
    [place, *_] = of.stages
    moments = (place.remind_at, place.deadline_at, of.action.due_at)
    return tuple(at and (at - T0) / HOUR for at in moments)


def test_every_step_comes_at_its_moment() -> None:
    silent = course(stage(1, silence=LONG))
    seen = [clocks(silent)]
    for hours in (1, 2, 3, 5):
        silent.lapse(T0 + hours * HOUR)
        seen.append(clocks(silent))

    assert seen == [(1, 2, 1), (None, 2, 2), (3, 5, 3), (None, 5, 5), (None, 8, 8)]
    silent.lapse(T0 + 8 * HOUR)
    assert silent.action.status == Status.EXPIRED
    assert clocks(silent) == (None, None, None)


def test_a_moment_before_it_nothing_has_happened() -> None:
    silent = course(stage(1, silence=LONG))
    silent.lapse(T0 + HOUR - timedelta(microseconds=1))

    assert kinds(silent) == ["stage_opened"]


def test_all_steps_at_once_are_all_taken_in_order() -> None:
    silent = course(stage(1, silence=LONG, sla=4 * HOUR))
    silent.lapse(T0 + 100 * HOUR)

    assert kinds(silent) == [
        "stage_opened",
        "reminded",
        "escalated",
        "reminded",
        "sla_breached",
        "escalated",
        "stage_closed",
        "expired",
    ]
    assert [(each.at - T0) / HOUR for each in silent.happenings[1:6]] == [1, 2, 3, 4, 5]
    assert silent.stages[0].groups == [MANAGERS, FINANCE]


def test_a_reminder_says_until_when() -> None:
    silent = course(stage(1, silence=LONG))
    silent.lapse(T0 + HOUR)

    said = silent.happenings[-1].data
    assert said == {
        "stage": "Stage 1",
        "deadline_at": (T0 + 2 * HOUR).isoformat(),
    }


def test_holding_at_the_end_waits_for_ever() -> None:
    silent = course(stage(1, silence=chain((1, "remind"), (2, "hold"))))
    assert clocks(silent) == (1, 2, 1)
    silent.lapse(T0 + 1000 * HOUR)

    assert silent.action.status == Status.PENDING
    assert kinds(silent)[-2:] == ["reminded", "held"]
    assert clocks(silent) == (None, None, None)
    vote(silent, ALICE, at=T0 + 1001 * HOUR)
    assert silent.action.status == Status.APPROVED


def test_without_a_chain_it_waits_for_ever() -> None:
    silent = course(stage(1, silence=[], sla=HOUR))
    assert clocks(silent) == (None, None, 1)
    silent.lapse(T0 + 1000 * HOUR)

    assert silent.action.status == Status.PENDING
    assert kinds(silent) == ["stage_opened", "sla_breached"]


@pytest.mark.parametrize("end", ["reject", "approve", "hold"])
def test_the_agents_own_end_comes_first(end: str) -> None:
    terms = chain((1, "remind"), (2, end), max_risk=100)
    silent = course(stage(1, silence=terms), stage(2, step=1, silence=terms))
    silent.action.expires_at = T0 + 2 * HOUR
    silent.lapse(T0 + 3 * HOUR)

    assert silent.action.status == Status.EXPIRED
    assert silent.happenings[-1].data["why"] == "the agent's own deadline passed"


def test_approving_at_the_end_opens_the_next_step_at_that_moment() -> None:
    terms = chain((1, "remind"), (2, "approve"), max_risk=20)
    silent = course(stage(1, silence=terms), stage(2, silence=LONG))
    silent.lapse(T0 + 5 * HOUR)

    later = silent.stages[1]
    assert later.opened_at == T0 + 2 * HOUR
    # It has been reminded, escalated and reminded meanwhile.
    assert later.silent_steps == 3
    assert later.deadline_at == T0 + 7 * HOUR


def test_stages_side_by_side_keep_their_own_clocks() -> None:
    early = stage(1, step=1, silence=chain((1, "remind"), (6, "reject")))
    late = stage(2, step=1, silence=chain((2, "escalate"), (4, "approve"), max_risk=20))
    silent = course(early, late)
    silent.lapse(T0 + 4 * HOUR)

    assert [each.state for each in silent.stages] == ["open", "approved"]
    assert silent.action.deadline_at == T0 + 6 * HOUR
    assert (late.deadline_at, late.remind_at, late.sla_at) == (None, None, None)
    silent.lapse(T0 + 6 * HOUR)
    assert silent.action.status == Status.EXPIRED


def test_a_stage_that_opens_again_has_its_time_again() -> None:
    silent = course(stage(1, silence=LONG), stage(2))
    silent.lapse(T0 + 2 * HOUR)
    vote(silent, ALICE, at=T0 + 2 * HOUR)
    vote(silent, BOB, stage=1, at=T0 + 3 * HOUR, rightful={1: {BOB}, 2: {BOB}})

    again = silent.stages[0]
    assert (again.state, again.silent_steps) == ("open", 0)
    assert again.deadline_at == T0 + 5 * HOUR
    assert again.remind_at == silent.action.due_at == T0 + 4 * HOUR
    # Whom silence has brought in stays.
    assert again.groups == [MANAGERS, FINANCE]


def test_only_working_time_counts_with_a_calendar() -> None:
    # T0 is a Monday, nine o'clock.
    calendar = {
        "name": "office",
        "time_zone": "UTC",
        "days": [0, 1, 2, 3, 4],
        "hours": [[540, 1020]],
        "holidays": ["2026-11-24"],
    }
    terms = chain((2, "remind"), (10, "reject"))
    silent = course(stage(1, silence=terms, sla=9 * HOUR, calendar=calendar))

    wednesday = T0 + timedelta(days=2)
    [place] = silent.stages
    assert place.remind_at == T0 + 2 * HOUR
    assert (place.sla_at, place.deadline_at) == (wednesday + HOUR, wednesday + 2 * HOUR)
    silent.lapse(wednesday + HOUR)
    assert kinds(silent) == ["stage_opened", "reminded", "sla_breached"]


# Whoever looks when, the same has happened.

STEPS = st.lists(st.sampled_from(["remind", "escalate"]), max_size=4)
ENDS = st.sampled_from(["reject", "hold", "approve", None])


@st.composite
def chains(draw: st.DrawFn) -> list[dict[str, Any]]:
    end = draw(ENDS)
    if end is None:
        return []
    steps = [*draw(STEPS), end]
    times = draw(st.sets(st.integers(1, 16), min_size=len(steps), max_size=len(steps)))
    moments = (quarter / 4 for quarter in sorted(times))
    return chain(*zip(moments, steps, strict=True), max_risk=draw(st.integers(10, 30)))


QUARTERS = st.integers(1, 16).map(lambda quarter: T0 + quarter * HOUR / 4)


@given(
    terms=st.lists(
        st.tuples(st.integers(1, 2), chains(), st.none() | st.integers(1, 8)),
        min_size=1,
        max_size=3,
    ),
    expires_at=st.none() | QUARTERS,
    looks=st.lists(QUARTERS, max_size=6).map(sorted),
    end=QUARTERS,
)
def test_it_is_the_same_however_often_somebody_looks(
    terms: list[tuple[int, list[dict[str, Any]], int | None]],
    expires_at: datetime | None,
    looks: list[datetime],
    end: datetime,
) -> None:
    def silent() -> Course:
        stages = [
            stage(
                pk,
                step=step,
                silence=[dict(each) for each in steps],
                sla=sla and sla * HOUR / 2,
            )
            for pk, (step, steps, sla) in enumerate(terms, start=1)
        ]
        made = course(*stages)
        made.action.expires_at = expires_at
        return made

    once, often = silent(), silent()
    once.lapse(end)
    for moment in [*looks, end]:
        often.lapse(min(moment, end))

    assert often.happenings == once.happenings
    assert _standing(often) == _standing(once)
    assert once.action.due_at is None or once.action.due_at > end
    moments = [happening.at for happening in once.happenings]
    assert moments == sorted(moments)
    assert all(moment <= end for moment in moments)


def _standing(of: Course) -> Any:
    action = of.action
    return (
        (action.status, action.deadline_at, action.due_at, action.settled_at),
        [
            (s.state, s.silent_steps, s.deadline_at, s.remind_at, s.sla_at, s.groups)
            for s in of.stages
        ],
        [(vote.by, vote.at) for vote in of.votes],
    )
