"""How far has a download come? A row says so, whichever process is asked.

The answer is streamed while the log is read. Once a second the row is moved on; a page
looks at it. A download that was cut off without a word is one that no longer moves.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from governance import clock, export
from governance.export import Export
from governance.ledger import Actor
from governance.models import Download, EventQuerySet, User

EVERY = 1.0
# A page of events that are hard to find may take long; a dead process never moves.
PATIENCE = timedelta(minutes=2)
SHOWN = 3
RECENT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """One download as its owner sees it."""

    download: Download
    is_running: bool

    @property
    def is_cut_short(self) -> bool:
        return not (self.is_running or self.download.complete)

    @property
    def form(self) -> str:
        return "CSV" if self.download.event.data["format"] == "csv" else "JSON lines"


def start(
    events: EventQuerySet,
    person: User,
    form: str,
    filters: dict[str, Any],
    *,
    bom: bool = False,
) -> Iterator[str]:
    """Put a download on record, and return its pieces."""
    taken = export.start(events, Actor.person(person), form, filters)
    download = Download.objects.create(
        person=person, event=taken.started, moved_at=taken.started.at
    )
    return _followed(download, taken, bom)


def of(person: User, at: datetime) -> list[Progress]:
    """Return this person's latest downloads, the newest first."""
    recent = Download.objects.filter(person=person, moved_at__gt=at - RECENT)
    return [
        Progress(each, each.ended_at is None and each.moved_at > at - PATIENCE)
        for each in recent.select_related("event")[:SHOWN]
    ]


def _followed(download: Download, taken: Export, bom: bool) -> Iterator[str]:
    moved = time.monotonic()
    pieces = taken.lines(bom=bom)
    try:
        for piece in pieces:
            yield piece
            if time.monotonic() - moved >= EVERY:
                _move(download, taken)
                moved = time.monotonic()
    finally:
        pieces.close()
        _move(download, taken, ended_at=clock.now())


def _move(download: Download, taken: Export, **ended: datetime) -> None:
    Download.objects.filter(pk=download.pk).update(
        rows=taken.rows,
        reached=taken.reached,
        complete=taken.complete,
        moved_at=clock.now(),
        **ended,
    )
