"""A course in memory, as the tests of its rules need it: stages, and votes on them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from approvals.course import Course
from approvals.models import ApprovalRequest, Stage, Vote
from governance.ledger import Actor
from governance.models import Action, Status

T0 = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MANAGERS = {"id": 1, "name": "managers"}
FINANCE = {"id": 2, "name": "finance"}
ALICE, BOB, CAROL = 11, 12, 13
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


def chain(
    *steps: tuple[float, str], max_risk: int | None = None
) -> list[dict[str, Any]]:
    """A silence step by step: hours after the stage opened, and what is done then."""
    return [
        {
            "after": hours * 3600,
            "do": do,
            "groups": [FINANCE] if do == "escalate" else [],
            "max_risk": max_risk if do == "approve" else None,
        }
        for hours, do in steps
    ]


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
