"""What leaves the audit log: complete, in order, and harmless to open."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance import clock, export, ledger
from governance.ledger import SYSTEM, Actor, Kind
from governance.models import Agent, Event

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "  =1+1",
    "\N{NO-BREAK SPACE}=1+1",
    "\N{ZERO WIDTH SPACE}=1+1",
    "\N{ZERO WIDTH NO-BREAK SPACE}=1+1",
    "＝1+1",  # noqa: RUF001
    "＋1",  # noqa: RUF001
    "－1",  # noqa: RUF001
    "＠SUM(A1)",  # noqa: RUF001
    "=cmd|' /C calc'!A0",
    "\ttext",
    "-5",
]
HARMLESS = ["text", "a=b", "5-3", "'=1+1", "1+1", "e-mail: a@b.example", "«=»"]


def record(name: str = "system", **data: Any) -> Event:
    actor = Actor("system", name=name)
    return ledger.record(Kind.EXPORTED, at=clock.now(), actor=actor, **data)


def rows() -> list[dict[str, str]]:
    text = "".join(export.lines(Event.objects.all(), "csv"))
    return list(csv.DictReader(io.StringIO(text, newline="")))


def objects() -> list[dict[str, Any]]:
    text = "".join(export.lines(Event.objects.all(), "jsonl"))
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_spreadsheet_runs_no_cell(db: None, cell: str) -> None:
    record(name="=1+1", comment=cell, reason=cell)

    [row] = rows()

    assert row["comment"] == row["reason"] == f"'{cell}"
    assert row["actor_name"] == "'=1+1"


@pytest.mark.parametrize("cell", HARMLESS)
def test_other_texts_stay_as_they_are(db: None, cell: str) -> None:
    record(comment=cell)

    assert rows()[0]["comment"] == cell


def test_json_lines_keep_every_text(db: None) -> None:
    for cell in FORMULAS:
        record(comment=cell)

    assert [row["comment"] for row in objects()] == FORMULAS


def test_numbers_stay_numbers_in_columns_of_numbers(db: None) -> None:
    event = record(risk=40)
    record(risk="=1+1")

    text = "".join(export.lines(Event.objects.all(), "csv"))

    first, second = text.split("\r\n")[1:3]
    assert first.startswith(f"{event.pk},")
    assert ",40," in first
    assert rows()[1]["risk"] == ""
    assert second.count("=1+1") == 1


def test_the_columns_come_in_their_order(db: None) -> None:
    record()

    header = next(export.lines(Event.objects.all(), "csv"))

    assert header == ",".join(f'"{name}"' for name in export.COLUMNS) + "\r\n"
    assert list(objects()[0]) == list(export.COLUMNS)


def test_it_survives_quotes_commas_and_line_breaks(db: None) -> None:
    nasty = 'He said "no",\r\nthen\nleft; ünïcode 🎉'
    record(comment=nasty)

    [row] = rows()

    assert row["comment"] == nasty
    assert json.loads(row["data"]) == {"comment": nasty}


def test_data_comes_out_as_it_went_in(db: None) -> None:
    data: dict[str, Any] = {
        "text": '","data":{"kind":1},"kind":"x","stream":"',
        "data": {"kind": [1, {"data": None, "kind": '\\",\\"kind\\":'}]},
        "kind_": "\\",
    }
    actor = Actor("system", name=',"data":"')
    ledger.record(
        Kind.EXPORTED, at=clock.now(), actor=actor, stream=',"kind":"', **data
    )

    assert json.loads(rows()[0]["data"]) == data
    assert objects()[0]["data"] == data


def test_two_exports_are_the_same(db: None) -> None:
    for number in range(5):
        record(number=number, b=1, a=2)

    first, second = rows(), rows()

    assert first == second
    assert [int(row["id"]) for row in first] == sorted(int(r["id"]) for r in first)


def test_it_tells_of_the_action(api: Any, refund_rules: None) -> None:
    answer = api.submit(amount=75, reason="Cracked screen.")

    submitted = next(row for row in objects() if row["kind"] == "submitted")

    assert submitted["action_id"] == answer["id"]
    assert submitted["action"] == "refund.create"
    assert submitted["digest"] == answer["digest"]
    assert submitted["agent"] == "refund-bot"
    assert submitted["decision"] == "REQUIRE_APPROVAL"
    assert submitted["reason"] == "Cracked screen."
    assert submitted["at"].endswith("Z")


def test_it_reads_page_by_page(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PAGE", 3)
    for number in range(7):
        record(number=number)

    with CaptureQueriesContext(connection) as captured:
        numbers = [row["data"]["number"] for row in objects()]

    assert numbers == list(range(7))
    assert sum("LIMIT 3" in q["sql"] for q in captured.captured_queries) == 4


def test_an_export_is_on_record_and_not_in_itself(db: None, agent: Agent) -> None:
    events = export.start(
        Event.objects.all(), SYSTEM, "csv", {"agent": "refund-bot"}
    ).events

    last = Event.objects.first()
    assert last
    assert last.data == {"format": "csv", "filters": {"agent": "refund-bot"}}
    assert last not in events
    assert events.count() == Event.objects.count() - 1


def test_the_mark_for_excel_comes_first_when_wanted(db: None) -> None:
    pieces = export.lines(Event.objects.all(), "csv", bom=True)

    assert "".join(pieces).encode().startswith(b"\xef\xbb\xbf")
