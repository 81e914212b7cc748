"""How are the figures counted? By the database, in five queries however long the time.

Each query counts by slot of time as well, so that it reads its rows once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Count,
    F,
    FloatField,
    Func,
    IntegerField,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.sql.compiler import SQLCompiler

from approvals.figures import selecting
from approvals.figures.counts import Counts
from approvals.figures.histogram import COARSE, LEAST, WIDTH
from approvals.figures.selecting import Scope
from approvals.models import ApprovalRequest, Stage, Vote
from governance import risk
from governance.models import Action, first_uuid7

QUICK = 3.0
Edges = Sequence[datetime]


def measure(scope: Scope, edges: Edges) -> list[Counts]:
    """Count what happened between each of these moments and the next."""
    found = [Counts() for _ in edges[1:]]
    for part in (_judged, _settled, _votes, _times, _sla):
        part(scope, edges, found)
    return found


def _judged(scope: Scope, edges: Edges, found: list[Counts]) -> None:
    """Count actions, or what was put before these groups. Their ids tell the time."""
    low, *_, high = ids = [first_uuid7(at) for at in edges]
    rows: QuerySet[Any] = Action.objects.all()
    decision: Combinable = F("decision")
    if scope.groups is not None:
        rows = ApprovalRequest.objects.filter(scope.of())
        decision = Value("REQUIRE_APPROVAL", output_field=CharField())
    counted = (
        rows.filter(pk__gte=low, pk__lt=high)
        .order_by()
        .annotate(slot=_slot("pk", ids), band=band())
        .values_list("slot", decision, "band")
        .annotate(n=Count("pk"), points=Sum("risk"))
    )
    for slot, said, level, n, points in counted:
        found[slot].judged[said, level] += n
        found[slot].risk[()] += points


def _settled(scope: Scope, edges: Edges, found: list[Counts]) -> None:
    counted = (
        ApprovalRequest.objects.filter(_between(edges), scope.of())
        .order_by()
        .annotate(
            slot=_slot("closed_at", edges),
            how=selecting.how(),
            policy=selecting.policy(),
        )
        .values_list("slot", "how", "outcome", "action__agent", "policy")
        .annotate(n=Count("pk"))
    )
    for slot, how, outcome, agent, policy, n in counted:
        found[slot].settled[how, outcome] += n
        found[slot].agents[agent, outcome] += n
        found[slot].policies[policy or "", outcome] += n


def _votes(scope: Scope, edges: Edges, found: list[Counts]) -> None:
    """Count what people said, and how they came to say it."""
    counted = (
        _of_requests(Vote.objects, scope, edges)
        .filter(person__isnull=False)
        .annotate(
            slot=_slot("request__closed_at", edges),
            dwell=seconds("shown_at", "at"),
            look=Case(When(shown_at__isnull=False, then=time_class(F("dwell")))),
        )
    )
    for slot, person, verdict, via, look, n, quick, differed in _by_person(counted):
        counts = found[slot]
        counts.people[person, verdict] += n
        counts.care[person, "differed"] += differed
        counts.care[person, "votes"] += n
        if via != "console":
            continue
        counts.care[person, "console"] += n
        if verdict == Vote.Verdict.APPROVE:
            counts.care[person, "approvals"] += n
        if look is not None:
            counts.looks[person, look // COARSE] += n
            counts.care[person, "quick"] += quick
        elif verdict == Vote.Verdict.APPROVE:
            counts.care[person, "unopened"] += n


def _by_person(votes: QuerySet[Any]) -> Any:
    return votes.values_list("slot", "person", "verdict", "via", "look").annotate(
        n=Count("pk"), quick=_sum(quick()), differed=_sum(selecting.differing())
    )


def _times(scope: Scope, edges: Edges, found: list[Counts]) -> None:
    votes = selecting.deciding(_of_requests(Vote.objects, scope, edges))
    counted = (
        votes.annotate(
            slot=_slot("request__closed_at", edges),
            taken=time_class(seconds("stage__opened_at", "at")),
        )
        .values_list("slot", "stage__name", "taken")
        .annotate(n=Count("pk"))
    )
    for slot, team, taken, n in counted:
        found[slot].times[team, taken] += n


def _sla(scope: Scope, edges: Edges, found: list[Counts]) -> None:
    stages = selecting.timed(_of_requests(Stage.objects, scope, edges))
    counted = (
        stages.annotate(slot=_slot("request__closed_at", edges))
        .values_list("slot", "name", "kept")
        .annotate(n=Count("pk"))
    )
    for slot, team, kept, n in counted:
        found[slot].sla[team, bool(kept)] += n


def quick() -> Q:
    """Select votes that came less than three seconds after the request was shown."""
    return Q(via="console", shown_at__isnull=False, dwell__lt=QUICK)


def unopened() -> Q:
    """Select approvals of requests that the person had never opened."""
    return Q(via="console", verdict=Vote.Verdict.APPROVE, shown_at=None)


def band() -> Case:
    """Say in which band of risk something is."""
    return Case(
        *(When(risk.within(name), then=Value(name)) for name in risk.BANDS),
        output_field=CharField(),
    )


def _of_requests(rows: Any, scope: Scope, edges: Edges) -> Any:
    """Return the rows of requests that were settled in this time."""
    return rows.filter(_between(edges, "request__"), scope.of("request")).order_by()


def _between(edges: Edges, request: str = "") -> Q:
    return selecting.settled(edges[0], edges[-1], request)


def _sum(condition: Q) -> Sum:
    return Sum(
        Case(When(condition, then=Value(1)), default=Value(0)),
        output_field=IntegerField(),
    )


def _slot(name: str, edges: Sequence[Any]) -> Case | Value:
    """Say between which two edges a value lies, by halves."""
    return _half(name, edges, 0, len(edges) - 1)


def _half(name: str, edges: Sequence[Any], low: int, high: int) -> Case | Value:
    if high - low == 1:
        return Value(low, output_field=IntegerField())
    middle = (low + high) // 2
    return Case(
        When(**{f"{name}__lt": edges[middle]}, then=_half(name, edges, low, middle)),
        default=_half(name, edges, middle, high),
        output_field=IntegerField(),
    )


class Seconds(Func):
    """How many seconds lie between two moments."""

    output_field = FloatField()

    def as_postgresql(
        self, compiler: SQLCompiler, connection: Any, **extra: Any
    ) -> tuple[str, Any]:
        template = "EXTRACT(EPOCH FROM %(expressions)s)::float8"
        return super().as_sql(
            compiler, connection, template=template, arg_joiner=" - ", **extra
        )

    def as_sqlite(
        self, compiler: SQLCompiler, connection: Any, **extra: Any
    ) -> tuple[str, Any]:
        # A day as a floating number is exact to the fraction of a millisecond.
        template = "ROUND((julianday(%(expressions)s)) * 86400.0, 3)"
        return super().as_sql(
            compiler,
            connection,
            template=template,
            arg_joiner=") - julianday(",
            **extra,
        )


def seconds(start: str, end: str) -> Seconds:
    return Seconds(F(end), F(start))


class TimeClass(Func):
    """The class of ``histogram`` that a number of seconds is in."""

    output_field = IntegerField()
    width = math.log(WIDTH)

    def as_postgresql(
        self, compiler: SQLCompiler, connection: Any, **extra: Any
    ) -> tuple[str, Any]:
        template = f"FLOOR(LN(GREATEST(%(expressions)s, {LEAST})) / {self.width})::int"
        return super().as_sql(compiler, connection, template=template, **extra)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: Any, **extra: Any
    ) -> tuple[str, Any]:
        # A cast cuts towards zero: so what is below zero is lifted before.
        lifted = f"LN(MAX(%(expressions)s, {LEAST})) / {self.width} + 1000"
        template = f"(CAST({lifted} AS INTEGER) - 1000)"
        return super().as_sql(compiler, connection, template=template, **extra)


def time_class(taken: Combinable) -> TimeClass:
    return TimeClass(taken)
