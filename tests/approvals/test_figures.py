"""The figures of the dashboard, against whoever counts row by row in plain Python."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from approvals.figures import histogram, keeping, periods
from approvals.figures.counts import Counts
from approvals.figures.measuring import measure
from approvals.figures.periods import PERIODS
from approvals.figures.selecting import EVERYTHING, Scope
from approvals.models import ApprovalRequest, KeptDay, Vote
from governance.models import Action
from tests.approvals.history import make_history

AT = datetime(2026, 3, 31, 13, 20, tzinfo=UTC)
# Clocks go forward within the last days of it.
ZONE = "Europe/Berlin"
DAYS = 100


def everything_on_record() -> list[ApprovalRequest]:
    related = ("asked", "stages", "votes__stage", "action")
    return list(ApprovalRequest.objects.prefetch_related(*related))


def plainly(
    record: list[ApprovalRequest], scope: Scope, start: datetime, end: datetime
) -> Counts:
    """Count one stretch of time, one row after the other."""
    found = Counts()
    requests = [r for r in record if _in_scope(scope, r)]
    judged: Any = Action.objects.all() if scope.groups is None else requests
    for each in judged:
        at = getattr(each, "created_at", None) or each.opened_at
        if start <= at < end:
            band = _band(each.risk)
            found.judged[getattr(each, "decision", "REQUIRE_APPROVAL"), band] += 1
            found.risk[()] += each.risk
    for request in requests:
        if request.closed_at and start <= request.closed_at < end:
            _count_request(found, request)
    return found


def _count_request(found: Counts, request: ApprovalRequest) -> None:
    votes, outcome = list(request.votes.all()), request.outcome
    found.settled[_how(request, votes), outcome] += 1
    found.agents[request.action.agent_id, outcome] += 1
    reasons = request.action.reasons
    found.policies[reasons[0]["policy"] if reasons else "", outcome] += 1
    for stage in request.stages.all():
        waived = request.broken_glass or outcome in ("cancelled", "superseded")
        if stage.sla and stage.opened_at and not waived:
            found.sla[stage.name, stage.sla_at is not None] += 1
    for vote in votes:
        if vote.person_id:
            _count_vote(found, request, vote, votes)


def _count_vote(
    found: Counts, request: ApprovalRequest, vote: Vote, votes: list[Vote]
) -> None:
    person, stage = vote.person_id, vote.stage
    assert person
    found.people[person, vote.verdict] += 1
    found.care[person, "votes"] += 1
    found.care[person, "differed"] += _differed(request, vote, votes)
    if vote.at == stage.closed_at:
        assert stage.opened_at
        taken = (vote.at - stage.opened_at).total_seconds()
        found.times[stage.name, histogram.class_of(taken)] += 1
    if vote.via != "console":
        return
    approves = vote.verdict == "approve"
    found.care[person, "console"] += 1
    found.care[person, "approvals"] += approves
    found.care[person, "unopened"] += approves and vote.shown_at is None
    if vote.shown_at:
        looked = (vote.at - vote.shown_at).total_seconds()
        found.looks[person, histogram.class_of(looked) // histogram.COARSE] += 1
        found.care[person, "quick"] += looked < 3


def _differed(request: ApprovalRequest, vote: Vote, votes: list[Vote]) -> bool:
    agreed = {
        "approve": "approved",
        "reject": "rejected",
        "request_changes": "changes_requested",
    }
    outcome = request.outcome
    others = [v for v in votes if v.person_id and v.verdict != vote.verdict]
    overruled = outcome in agreed.values() and outcome != agreed[vote.verdict]
    return bool(others) or overruled


def _how(request: ApprovalRequest, votes: list[Vote]) -> str:
    if request.broken_glass:
        return "glass"
    if request.outcome in ("cancelled", "superseded"):
        return "withdrawn"
    silent = any(v.person_id is None and v.via == "system" for v in votes)
    if request.outcome == "expired" or (silent and request.outcome == "approved"):
        return "silence"
    return "people"


def _band(risk: int) -> str:
    bands = {75: "critical", 50: "high", 25: "medium", 0: "low"}
    return next(name for least, name in bands.items() if risk >= least)


def _in_scope(scope: Scope, request: ApprovalRequest) -> bool:
    asked = {group.pk for group in request.asked.all()}
    return scope.groups is None or bool(asked & scope.groups)


def without_nothing(found: Counts) -> dict[str, Any]:
    return {
        name: Counter({tuple(key): n for *key, n in rows if n})
        for name, rows in found.as_data().items()
    }


@pytest.fixture
def berlin() -> Iterator[None]:
    with timezone.override(ZONE):
        yield


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("period", PERIODS, ids=lambda p: p.name)
def test_they_are_what_counting_row_by_row_gives(
    berlin: None, period: periods.Period, seed: int
) -> None:
    days = {"today": 2, "7": 9}.get(period.name, DAYS)
    cast = make_history(Random(seed), 60, AT, days)
    keeping.keep(AT)
    own = Scope(frozenset([cast.groups[0].pk]))

    slots, record = period.slots(AT), everything_on_record()
    for scope in (EVERYTHING, own, Scope(frozenset())):
        found = keeping.counts_of(scope, slots, AT)
        for slot, each in zip(slots, found, strict=True):
            assert without_nothing(each) == without_nothing(
                plainly(record, scope, slot.start, slot.end)
            )


@pytest.mark.django_db
def test_kept_days_are_what_counting_them_gives(berlin: None) -> None:
    make_history(Random(9), 80, AT)
    slots = PERIODS[-1].slots(AT)
    counted = keeping.counts_of(EVERYTHING, slots, AT)

    while keeping.keep(AT):
        pass

    # Fifteen hours have passed by now in Berlin, and 89 days.
    assert KeptDay.objects.filter(scope="").count() == 15 + 89
    assert keeping.counts_of(EVERYTHING, slots, AT) == counted


@pytest.mark.parametrize("part", [0.05, 0.5, 0.95, 1])
def test_a_percentile_is_at_most_a_hundredth_off(part: float) -> None:
    chance = Random(7)
    times = sorted(chance.lognormvariate(6, 2) + 1 for _ in range(999))
    exact = times[math.ceil(part * len(times)) - 1]

    found = histogram.percentile(Counter(map(histogram.class_of, times)), part)

    assert found == pytest.approx(exact, rel=0.0101)
    assert histogram.percentile({}, part) is None


@pytest.mark.django_db
def test_it_asks_five_questions_however_long_the_time() -> None:
    for edges in ([AT - periods.DAY, AT], [AT - n * periods.DAY for n in (90, 9, 0)]):
        with CaptureQueriesContext(connection) as captured:
            measure(EVERYTHING, edges)
        assert len(captured) == 5


def test_the_bars_of_a_period_follow_each_other(berlin: None) -> None:
    for period in PERIODS:
        slots = period.slots(AT)
        for one, other in pairwise(slots):
            assert one.end == other.start
        assert slots[0].start < AT < slots[-1].end
        assert periods.stretches_of(slots)[-1][1] == slots[-1].end
