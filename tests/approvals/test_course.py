from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from approvals.course import Course
from approvals.models import ApprovalRequest, Stage, Vote
from governance.ledger import Actor
from governance.models import Action, Status

T0 = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MANAGERS = {"id": 1, "name": "managers"}
FINANCE = {"id": 2, "name": "finance"}
ALICE, BOB = 11, 12
EVERYBODY = {1: {ALICE, BOB}, 2: {ALICE, BOB}}


def stage(pk: int = 1, **terms: Any) -> Stage:
    defaults: dict[str, Any] = {
        "position": pk,
        "step": pk,
        "name": f"Stage {pk}",
        "groups": [MANAGERS],
        "needed": 1,
        "silence": silence(4 * HOUR),
    }
    return Stage(pk=pk, **{**defaults, **terms})


def silence(
    timeout: timedelta,
    do: str = "reject",
    *,
    to: Sequence[dict[str, Any]] = (),
    max_risk: int | None = None,
) -> list[dict[str, Any]]:
    """What a timeout and an on_timeout come to."""
    step = {"after": timeout.total_seconds(), "do": do, "groups": [*to]}
    again = {**step, "after": 2 * timeout.total_seconds(), "do": "reject"}
    return [{**step, "max_risk": max_risk}, *([again] if do == "escalate" else [])]


def course(*stages: Stage, risk: int = 20, evaluated: bool = True) -> Course:
    action = Action(status=Status.PENDING, name="refund.create", created_at=T0)
    request = ApprovalRequest(action=action, risk=risk, evaluated=evaluated)
    made = Course(action, request, list(stages))
    made.start(T0)
    return made


def vote(
    on: Course,
    person: int,
    verdict: Vote.Verdict = Vote.Verdict.APPROVE,
    *,
    stage: int = 0,
    at: datetime = T0,
    rightful: dict[int, set[int]] = EVERYBODY,
    conditions: tuple[str, ...] = (),
) -> None:
    place = on.stages[stage]
    said = Vote(
        stage=place,
        person_id=person,
        seat_id=person,
        by=str(person),
        verdict=verdict,
        conditions=list(conditions),
        via="cli",
        at=at,
    )
    on.vote(place, said, actor=Actor("person", str(person)), rightful=rightful)


def kinds(of: Course) -> list[str]:
    return [str(happening.kind) for happening in of.happenings]


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
