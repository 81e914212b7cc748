"""What leaves the audit log, as CSV or as JSON lines, at a constant cost in memory?

The columns and their order are fixed, so that two exports can be compared; new ones go
behind the others. Events come in the order of their ids, in short statements of a page
each: nobody who downloads slowly keeps a transaction or a connection busy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from governance import clock, ledger
from governance.ledger import Actor, Kind
from governance.models import Event, EventQuerySet

# id           counts up with time; gaps are steps that were rolled back
# at           RFC 3339, UTC, by the database's clock
# kind         what happened: submitted, voted, consumed…
# stream       what it happened to: action:<id>, agent:<name>, policy:<name>…
# actor_*      who did it: person, agent or system; the id; the name at that time
# action_id    and the action's name, its revision, digest and status after this step
# agent        whose action it is, or which agent was changed
# decision     of the policies, or the verdict of a person
# risk         0-100, where this step computed it
# reason       the agent's words, or why a person or a policy did it
# comment      what a person wrote to a decision
# data         everything on record about this step, as JSON
COLUMNS = (
    "id",
    "at",
    "kind",
    "stream",
    "actor_kind",
    "actor_id",
    "actor_name",
    "action_id",
    "action",
    "revision",
    "digest",
    "status",
    "agent",
    "decision",
    "risk",
    "reason",
    "comment",
    "data",
)
FORMATS = ("csv", "jsonl")
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson; charset=utf-8",
}
QUOTE = '"'
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
# A body may be a megabyte: no more of them than this are in memory.
PAGE = 250

_INVISIBLE = "\\s\0\N{ZERO WIDTH SPACE}-\N{RIGHT-TO-LEFT MARK}\N{WORD JOINER}" + BOM
# What a spreadsheet runs as a formula: also in full width, also behind white space.
_FORMULA = re.compile(f"[{_INVISIBLE}]*[=+\\-@＝＋－＠]|[\\t\\r\\n\\0]")  # noqa: RUF001

# Where data stands in a canonical body, to be taken over to the letter. Within strings
# every quote is escaped, and what comes before and after it has no such keys.
_DATA, _AFTER = ',"data":', ',"kind":'

Row = tuple[Any, ...]


class Export:
    """One export: what is in it, and how far it has come. Its end is on record, too.

    ``rows`` and ``reached``, the id of the last event, count what was handed on.
    """

    def __init__(
        self, events: EventQuerySet, actor: Actor, form: str, started: Event
    ) -> None:
        self.events = events.filter(pk__lt=started.pk)
        self.actor, self.form, self.started = actor, form, started
        self.rows = self.reached = 0
        self.complete = False

    def lines(self, *, bom: bool = False) -> Generator[str, None, None]:
        """Yield it in pieces. Whoever closes them half-way has an incomplete export."""
        try:
            yield from lines(self.events, self.form, bom=bom, seen=self._seen)
            self.complete = True
        finally:
            self._end()

    def _seen(self, page: list[Row]) -> None:
        self.rows += len(page)
        self.reached = page[-1][0]

    def _end(self) -> None:
        with transaction.atomic():
            ledger.record(
                Kind.EXPORT_ENDED,
                at=clock.now(),
                actor=self.actor,
                stream="audit",
                export=self.started.pk,
                rows=self.rows,
                complete=self.complete,
            )


def start(
    events: EventQuerySet, actor: Actor, form: str, filters: dict[str, Any]
) -> Export:
    """Put the export on record. All events before that are in it."""
    with transaction.atomic():
        started = ledger.record(
            Kind.EXPORTED,
            at=clock.now(),
            actor=actor,
            stream="audit",
            format=form,
            filters=filters,
        )
    return Export(events, actor, form, started)


def lines(
    events: EventQuerySet,
    form: str,
    *,
    bom: bool = False,
    seen: Callable[[list[Row]], None] = lambda page: None,
) -> Iterator[str]:
    """Yield events in pieces. The first piece of a CSV is its header."""
    write = _csv if form == "csv" else _json_lines
    if bom:
        yield BOM
    if form == "csv":
        yield write([COLUMNS])
    for page in _pages(events):
        text = write(page)
        seen(page)
        yield text


def _pages(events: EventQuerySet) -> Iterator[list[Row]]:
    rows = events.order_by("pk").values_list(
        "pk",
        "at",
        "kind",
        "stream",
        "actor_kind",
        "actor_id",
        "actor_name",
        "agent__name",
        "body",
    )
    last = 0
    while page := _read(rows.filter(pk__gt=last)[:PAGE]):
        yield [_row(*row) for row in page]
        last = page[-1][0]


def _read(rows: Any) -> list[Row]:
    """Read one page. It may be long to find, if few events are wanted of many."""
    if connection.vendor != "postgresql":
        return list(rows)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        return list(rows)


def _row(
    pk: int,
    at: datetime,
    kind: str,
    stream: str,
    actor_kind: str,
    actor_id: str,
    actor_name: str,
    agent: str | None,
    body: str,
) -> Row:
    told = json.loads(body)
    action = told["action"] or {}
    data = told["data"]
    return (
        pk,
        f"{at:%Y-%m-%dT%H:%M:%S.%fZ}",
        kind,
        stream,
        actor_kind,
        actor_id,
        actor_name,
        action.get("id"),
        action.get("name"),
        action.get("revision"),
        action.get("digest"),
        action.get("status"),
        agent,
        data.get("decision") or data.get("verdict"),
        _number(data.get("risk")),
        data.get("reason") or data.get("why") or data.get("note"),
        data.get("comment"),
        body[body.index(_DATA) + len(_DATA) : body.rindex(_AFTER)],
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _csv(rows: list[Row]) -> str:
    return "".join(",".join(map(_cell, row)) + "\r\n" for row in rows)


def _cell(value: Any) -> str:
    """Write a cell as RFC 4180 has it: texts in quotes, numbers bare, nothing empty.

    By hand, because ``csv.writer`` takes texts apart letter by letter.
    """
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    # JSON begins with a brace: no spreadsheet takes that for a formula.
    guard = "'" if _FORMULA.match(value) else ""
    return f'"{guard}{value.replace(QUOTE, QUOTE * 2)}"'


def _json_lines(rows: list[Row]) -> str:
    return "".join(map(_object, rows))


def _object(row: Row) -> str:
    values, data = row[:-1], row[-1]
    line = json.dumps(dict(zip(COLUMNS, values, strict=False)), ensure_ascii=False)
    return f'{line[:-1]}, "data": {data}}}\n'
