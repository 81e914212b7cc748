"""How does a terminal show what came of a backtest?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from governance.text_safety import visible_line
from policies import findings

SHOWN = 20


def lines(data: Mapping[str, Any], days: int) -> Iterator[str]:
    looked_at, changed = data["looked_at"], data["looked_at"] - data["same"]
    yield f"{looked_at:,} actions in {days} days: {changed:,} decided otherwise."
    yield f"{data['other_people']:,} with the same decision ask other people."
    then = data["not_as_then"]
    yield f"Today's rules decide {then:,} otherwise than was decided then."
    live, draft = data["unevaluable"]["live"], data["unevaluable"]["draft"]
    if live or draft:
        yield f"Not everything could be evaluated: live {live:,}, draft {draft:,}."
    yield from _table("Decisions that change", ["count", "", "money"], _moves(data))
    yield from _table(
        "Approvals a day", ["group", "live", "draft"], _reviews(data, days)
    )
    yield from _table(
        f"The latest {min(SHOWN, len(data['latest']))} that change",
        ["action", "", "", "because"],
        map(_told, data["latest"][:SHOWN]),
    )


def _moves(data: Mapping[str, Any]) -> Iterator[list[str]]:
    money = findings.money(data)
    for each in findings.movements(data):
        sums = [
            f"{m['amount']} {m['currency']}".strip()
            for m in money
            if (m["before"], m["after"]) == (each["before"], each["after"])
        ]
        move = f"{each['before']} → {each['after']}"
        yield [f"{each['count']:,}", move, ", ".join(sums)]


def _reviews(data: Mapping[str, Any], days: int) -> Iterator[list[str]]:
    for each in findings.reviews(data, days):
        yield [each["group"], f"{each['before']:.1f}", f"{each['after']:.1f}"]


def _told(each: Mapping[str, Any]) -> list[str]:
    move = f"{each['live']} → {each['draft']}"
    because = ", ".join(each["because"]["draft"])
    return [each["id"], each["summary"][:60], move, because]


def _table(
    title: str, head: Sequence[str], rows: Iterable[Sequence[str]]
) -> Iterator[str]:
    table = [[visible_line(cell) for cell in row] for row in rows]
    if not table:
        return
    table.insert(0, list(head))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    yield ""
    yield title
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells).rstrip()}"
