"""Puts many requests before people: ``python -m bench.crowd REQUESTS OPEN``.

One request of each sort is made the way agents make them. The database copies it, with
other keys, times, agents, customers and people. The newest wait since at most four
hours; all others were decided, each by one of twenty managers.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from typing import Any

import django

MANAGERS = 20
AGENTS = ("refund-bot", "returns-bot", "billing-bot", "travel-bot")
# A million requests are most of a year.
APART = timedelta(seconds=25)
WAITING = timedelta(hours=4)
SLA = timedelta(minutes=15)
ASKED = ("created_at", "judged_at", "updated_at", "opened_at")
ANSWERED = ("at", "shown_at", "closed_at", "settled_at")


def fill(requests: int, waiting: int) -> None:
    """Make so many requests, of which the newest ``waiting`` are open."""
    from governance import clock

    _take_time()
    decided, asked = _templates()
    settled, now = requests - waiting, _ms(clock.now().timestamp())
    since = now - _ms(WAITING.total_seconds())
    apart, closer = _ms(APART.total_seconds()), (now - since) / max(waiting, 1)
    _Copies(1, settled, since - settled * apart, apart).of_request(decided)
    _Copies(settled + 1, requests, since - settled * closer, closer).of_request(asked)
    _settle_down()


def _templates() -> tuple[Any, Any]:
    """Return one request that is decided and one that waits, under the example rules."""
    from django.contrib.auth.models import Group
    from django.core.management import call_command

    from approvals import services
    from approvals.models import Vote
    from governance.models import User
    from governance.services import create_agent

    managers = Group.objects.create(name="customer-service-managers")
    Group.objects.create(name="finance")
    call_command("load_policies", "examples/refunds.yaml", stdout=StringIO())
    names = [f"manager-{number}" for number in range(MANAGERS)]
    people = [User.objects.create(username=name, is_staff=True) for name in names]
    managers.user_set.set(people)
    agent, *_ = [create_agent(name) for name in AGENTS]
    decided, asked = _ask(agent, 1), _ask(agent, 2)
    services.decide(decided, people[0], Vote.Verdict.APPROVE, digest=decided.digest)
    decided.refresh_from_db()
    return decided, asked


def _ask(agent: Any, number: int) -> Any:
    from approvals import services

    params = {
        "order_id": f"A-{number}",
        "customer_id": f"C-{number}",
        "amount": 75,
        "currency": "USD",
    }
    proposal = services.Proposal(
        "refund.create",
        params,
        {"type": "order", "id": f"A-{number}"},
        "The customer reports a cracked screen; the order is inside the window.",
        {"order_total": 129, "return_window_ends": "2026-12-01"},
    )
    course, _ = services.submit(agent, proposal)
    return course.request


def _take_time() -> None:
    """Let statements take longer than those of the console may."""
    from django.db import connection

    if connection.vendor == "postgresql":
        connection.cursor().execute("SET statement_timeout = 0")


def _settle_down() -> None:
    """Let the database learn what is in the tables now, and where keys go on."""
    from django.core.management.color import no_style
    from django.db import connection

    from approvals.models import ApprovalRequest, RequestGroupPermission, Stage, Vote
    from governance.models import Event

    through = ApprovalRequest.asked.through
    numbered: list[Any] = [Stage, Vote, Event, RequestGroupPermission, through]
    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), numbered):
            cursor.execute(sql)
        is_postgresql = connection.vendor == "postgresql"
        cursor.execute("VACUUM ANALYZE" if is_postgresql else "PRAGMA optimize")


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How a database writes what the copies need. ``n`` is the number of the copy."""

    series: str
    uuid: str
    moment: str
    object: str


DIALECTS = {
    "postgresql": _Dialect(
        "s(n) AS (SELECT GENERATE_SERIES({first}::bigint, {last}))",
        "(LPAD(TO_HEX({ms}), 12, '0') || '7001' || '8' || LPAD(TO_HEX(n), 15, '0'))::uuid",
        "TO_TIMESTAMP(({ms}) / 1000.0)",
        "JSONB_BUILD_OBJECT",
    ),
    "sqlite": _Dialect(
        "RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last})",
        "PRINTF('%012x70018%015x', {ms}, n)",
        "STRFTIME('%Y-%m-%d %H:%M:%f000', ({ms}) / 1000.0, 'unixepoch')",
        "JSON_OBJECT",
    ),
}


class _Copies:
    """The copies from one number to another, so many milliseconds apart."""

    def __init__(self, first: int, last: int, start: float, apart: float) -> None:
        from django.db import connection

        self.connection = connection
        self.dialect = dialect = DIALECTS[connection.vendor]
        self.series = dialect.series.format(first=first, last=last)
        self.asked = f"CAST({int(start)} + n * {apart} AS BIGINT)"
        self.pk = dialect.uuid.format(ms=self.asked)

    def of_request(self, request: Any) -> None:
        """Copy a request, with its action and everything that hangs on them."""
        from approvals.models import ApprovalRequest, RequestGroupPermission
        from governance.models import Agent, User

        people = _one_of(User.objects.filter(groups__isnull=False))
        agent = _one_of(Agent.objects.all())
        varied = {"id": self.pk, **self._words()}
        self.of(request.action, **varied, agent_id=agent)
        self.of(request, **varied, action_id=self.pk)
        stage = self.of(request.stages.get(), request_id=self.pk)
        vote = {"person_id": people, "seat_id": people, "stage_id": stage}
        for row in request.votes.all():
            self.of(row, request_id=self.pk, **vote)
        for row in ApprovalRequest.asked.through.objects.filter(
            approvalrequest=request
        ):
            self.of(row, approvalrequest_id=self.pk)
        for row in RequestGroupPermission.objects.filter(content_object=request):
            self.of(row, content_object_id=self.pk)
        for row in request.action.events.filter(kind="voted"):
            self.of(row, action_id=self.pk, agent_id=agent, actor_id=people)

    def of(self, row: Any, **other: str) -> str:
        """Copy a row but for these columns. Return where the keys of the copies are."""
        model = type(row)
        table, columns = model._meta.db_table, model._meta.concrete_fields
        highest = model._default_manager.order_by("-pk").values_list("pk", flat=True)[0]
        key = other.get("id") or f"{highest} + n"
        values = {**self._times(row), **other, "id": key}
        names = [field.column for field in columns]
        quote = self.connection.ops.quote_name
        chosen = [values.get(name, f"t.{quote(name)}") for name in names]
        pk = model._meta.pk.get_db_prep_value(row.pk, self.connection)
        with self.connection.cursor() as cursor:
            cursor.execute(
                f"WITH {self.series} INSERT INTO {table} ({', '.join(map(quote, names))}) "  # noqa: S608
                f"SELECT {', '.join(chosen)} FROM s CROSS JOIN {table} t WHERE t.id = '{pk}'"
            )
        return key

    def _times(self, row: Any) -> dict[str, str]:
        """Say when each time is that the row has: asked, answered, or a deadline."""
        fields = [
            f.column
            for f in row._meta.concrete_fields
            if f.get_internal_type() == "DateTimeField"
        ]
        return {name: self._time(name) for name in fields if getattr(row, name)}

    def _time(self, name: str) -> str:
        after = {"sla_at": SLA, "due_at": SLA}.get(name, WAITING)
        later = f"{_ms(after.total_seconds())}"
        if name in ASKED:
            later = "0"
        elif name in ANSWERED:
            later = f"(60 + n * 7919 % {int(WAITING.total_seconds())}) * 1000"
        return self.dialect.moment.format(ms=f"{self.asked} + {later}")

    def _words(self) -> dict[str, str]:
        amount, customer = "(50 + n % 150)", "('C-' || n % 9973)"
        pairs = f"'order_id', 'A-' || n, 'customer_id', {customer}, 'amount', {amount}, 'currency', 'USD'"
        return {
            "params": f"{self.dialect.object}({pairs})",
            "summary": f"'Refund ' || {amount} || ' USD to customer ' || {customer} || ' for order A-' || n",
            "risk": "n * 37 % 101",
        }


def _one_of(rows: Any) -> str:
    """Choose one of these rows' keys by the number of the copy."""
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    whens = " ".join(f"WHEN {at} THEN {pk}" for at, pk in enumerate(keys))
    return f"CASE n % {len(keys)} {whens} END"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    fill(int(sys.argv[1]), int(sys.argv[2]))
