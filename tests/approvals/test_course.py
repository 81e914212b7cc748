"""A course: what follows from a vote, and from silence. No database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from approvals.models import Vote
from governance.models import Status
from tests.approvals.courses import (
    ALICE,
    BOB,
    CAROL,
    FINANCE,
    HOUR,
    MANAGERS,
    T0,
    course,
    kinds,
    silence,
    stage,
    vote,
)


def test_it_opens_the_first_step_alone() -> None:
    opened = course(stage(1), stage(2))

    assert [each.state for each in opened.stages] == ["open", "waiting"]
    assert opened.action.deadline_at == T0 + 4 * HOUR


def test_stages_with_the_same_step_are_open_side_by_side() -> None:
    opened = course(stage(1, step=1), stage(2, step=1))

    assert [each.state for each in opened.stages] == ["open", "open"]


def test_one_approval_settles_one_stage() -> None:
    settled = course(stage(1))
    vote(settled, ALICE, at=T0 + HOUR)

    assert settled.action.status == Status.APPROVED
    assert settled.action.grant_expires_at == T0 + 2 * HOUR
    assert settled.action.deadline_at is None
    assert settled.request
    assert settled.request.outcome == "approved"


def test_it_waits_for_the_second_person() -> None:
    waiting = course(stage(1, needed=2))
    vote(waiting, ALICE)
    assert waiting.action.status == Status.PENDING

    vote(waiting, BOB)
    assert waiting.action.status == Status.APPROVED


def test_the_second_step_opens_when_the_first_is_approved() -> None:
    moved = course(stage(1), stage(2, silence=silence(HOUR)))
    vote(moved, ALICE, at=T0 + HOUR)

    assert [each.state for each in moved.stages] == ["approved", "open"]
    assert moved.action.deadline_at == T0 + 2 * HOUR


def test_one_rejection_settles_it_however_many_approved() -> None:
    rejected = course(stage(1, needed=3))
    vote(rejected, ALICE)
    vote(rejected, BOB, Vote.Verdict.REJECT)

    assert rejected.action.status == Status.REJECTED
    assert rejected.stages[0].state == "closed"


def test_changes_are_not_an_end() -> None:
    returned = course(stage(1))
    vote(returned, ALICE, Vote.Verdict.REQUEST_CHANGES)

    assert returned.action.status == Status.CHANGES_REQUESTED
    assert returned.action.settled_at is None
    assert returned.request
    assert returned.request.closed_at == T0


def test_a_right_lost_before_the_last_vote_counts_no_more() -> None:
    hollow = course(stage(1), stage(2))
    vote(hollow, ALICE)
    vote(hollow, BOB, stage=1, rightful={1: {BOB}, 2: {BOB}})

    assert hollow.action.status == Status.PENDING
    assert [each.state for each in hollow.stages] == ["open", "approved"]


def test_silence_rejects_by_default() -> None:
    silent = course(stage(1))
    silent.lapse(T0 + 4 * HOUR - timedelta(seconds=1))
    assert silent.action.status == Status.PENDING

    silent.lapse(T0 + 9 * HOUR)
    assert silent.action.status == Status.EXPIRED
    # The moment decided, not the worker that noticed it
    assert silent.action.settled_at == T0 + 4 * HOUR


def test_escalation_asks_more_people_and_gives_the_same_time_again() -> None:
    terms = stage(1, silence=silence(4 * HOUR, "escalate", to=[MANAGERS, FINANCE]))
    silent = course(terms)

    silent.lapse(T0 + 5 * HOUR)
    assert terms.groups == [MANAGERS, FINANCE]
    assert silent.action.deadline_at == T0 + 8 * HOUR

    silent.lapse(T0 + 8 * HOUR)
    assert silent.action.status == Status.EXPIRED


def test_a_long_absence_catches_up_in_order() -> None:
    silent = course(
        stage(1, silence=silence(4 * HOUR, "escalate", to=[FINANCE]), sla=HOUR),
    )
    silent.lapse(T0 + 100 * HOUR)

    assert silent.action.settled_at == T0 + 8 * HOUR
    assert kinds(silent) == [
        "stage_opened",
        "sla_breached",
        "escalated",
        "stage_closed",
        "expired",
    ]


def test_holding_waits_without_a_deadline() -> None:
    silent = course(stage(1, silence=silence(4 * HOUR, "hold")))
    silent.lapse(T0 + 1000 * HOUR)

    assert silent.action.status == Status.PENDING
    assert silent.action.deadline_at is None
    assert "held" in kinds(silent)


def test_silence_approves_what_is_low_in_risk() -> None:
    silent = course(
        stage(1, silence=silence(4 * HOUR, "approve", max_risk=20)), risk=20
    )
    silent.lapse(T0 + 4 * HOUR + timedelta(minutes=1))

    assert silent.action.status == Status.APPROVED
    assert [(each.by, each.person_id) for each in silent.votes] == [("system", None)]


@pytest.mark.parametrize(("risk", "evaluated"), [(21, True), (20, False)])
def test_silence_never_approves_more_than_that(risk: int, evaluated: bool) -> None:
    terms = stage(1, silence=silence(4 * HOUR, "approve", max_risk=20))
    silent = course(terms, risk=risk, evaluated=evaluated)
    silent.lapse(T0 + 5 * HOUR)

    assert silent.action.status == Status.EXPIRED


def test_the_agents_own_patience_ends_in_expired_whatever_the_stage_says() -> None:
    terms = stage(1, silence=silence(4 * HOUR, "approve", max_risk=100))
    silent = course(terms)
    silent.action.expires_at = T0 + HOUR
    silent.lapse(T0 + 2 * HOUR)

    assert silent.action.status == Status.EXPIRED
    assert silent.action.settled_at == T0 + HOUR


def test_a_grant_nobody_used_expires() -> None:
    unused = course(stage(1))
    vote(unused, ALICE)
    unused.lapse(T0 + HOUR)

    assert unused.action.status == Status.EXPIRED
    assert unused.request
    assert unused.request.outcome == "approved"


def test_conditions_of_all_approvers_are_collected_once() -> None:
    agreed = course(stage(1, needed=2))
    vote(agreed, ALICE, conditions=("Before noon.",))
    vote(agreed, BOB, conditions=("Before noon.", "Once only."))

    assert agreed.conditions() == ["Before noon.", "Once only."]


def test_at_the_same_moment_the_agents_own_end_comes_first() -> None:
    terms = stage(1, silence=silence(4 * HOUR, "approve", max_risk=100))
    silent = course(terms)
    silent.action.expires_at = T0 + 4 * HOUR
    silent.lapse(T0 + 5 * HOUR)

    assert silent.action.status == Status.EXPIRED


REJECT = Vote.Verdict.REJECT


def test_where_two_must_reject_one_leaves_it_open() -> None:
    doubted = course(stage(1, needed=2, rejections=2))
    vote(doubted, ALICE, REJECT)
    assert doubted.action.status == Status.PENDING
    assert [said.person_id for said in doubted.rejections(doubted.stages[0])] == [ALICE]

    vote(doubted, BOB, REJECT)
    assert doubted.action.status == Status.REJECTED


def test_a_rejection_whose_right_is_lost_counts_no_more() -> None:
    doubted = course(stage(1, rejections=2))
    vote(doubted, ALICE, REJECT)
    vote(doubted, BOB, REJECT, rightful={1: {BOB}})
    assert doubted.action.status == Status.PENDING

    vote(doubted, CAROL, REJECT, rightful={1: {BOB, CAROL}})
    assert doubted.action.status == Status.REJECTED


def test_rejections_of_two_stages_do_not_add_up() -> None:
    doubted = course(stage(1, step=1, rejections=2), stage(2, step=1, rejections=2))
    vote(doubted, ALICE, REJECT)
    vote(doubted, BOB, REJECT, stage=1)

    assert doubted.action.status == Status.PENDING


def test_whoever_is_outvoted_has_not_stopped_it() -> None:
    doubted = course(stage(1, rejections=2))
    vote(doubted, ALICE, REJECT)
    vote(doubted, BOB)

    assert doubted.action.status == Status.APPROVED


def test_where_somebody_rejected_silence_approves_nothing() -> None:
    terms = silence(4 * HOUR, "approve", max_risk=100)
    doubted = course(stage(1, rejections=2, silence=terms))
    vote(doubted, ALICE, REJECT)
    doubted.lapse(T0 + 4 * HOUR)

    assert doubted.action.status == Status.EXPIRED
    assert doubted.action.grant_expires_at is None


def test_silence_counts_as_nobody() -> None:
    silent = course(
        stage(1, silence=silence(HOUR, "approve", max_risk=100)),
        stage(2, needed=2, silence=silence(8 * HOUR)),
    )
    silent.lapse(T0 + 2 * HOUR)
    assert silent.progress() == (0, 2)

    vote(silent, ALICE, stage=1, at=T0 + 2 * HOUR)
    assert silent.progress() == (1, 2)
    assert silent.approvers(silent.stages[0]) == []


def test_progress_counts_no_more_than_it_takes() -> None:
    asked = course(stage(1, needed=2), stage(2))
    assert asked.progress() == (0, 3)
    vote(asked, ALICE)
    vote(asked, BOB)

    assert asked.progress() == (2, 3)
