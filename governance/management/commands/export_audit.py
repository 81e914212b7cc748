from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance import export, ledger
from governance.models import Agent, Event, EventQuerySet

RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)"
)


class Command(BaseCommand):
    help = (
        "Write the audit log as CSV or JSON lines. T is RFC 3339, or a date, which is a "
        "day in UTC. --since includes its moment; --until ends before it, but a date "
        "there is included to its end."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", metavar="T")
        parser.add_argument("--until", metavar="T")
        parser.add_argument("--agent", metavar="NAME")
        parser.add_argument("--format", choices=export.FORMATS, default="csv")
        parser.add_argument("--output", metavar="FILE", type=Path)
        parser.add_argument(
            "--bom", action="store_true", help="Begin with the mark that Excel wants."
        )

    def handle(self, **options: Any) -> None:
        wanted = {k: options[k] for k in ("since", "until", "agent") if options[k]}
        events = self.select(**wanted)
        form: str = options["format"]
        taken = export.start(events, ledger.SYSTEM, form, wanted)
        # Closed in time: how it ended is on record, also if nobody wants the rest.
        with closing(taken.lines(bom=options["bom"])) as pieces:
            if options["output"]:
                self.save(pieces, options["output"])
            else:
                self.print(pieces)

    def select(
        self, since: str = "", until: str = "", agent: str = ""
    ) -> EventQuerySet:
        events = Event.objects.all()
        if since:
            events = events.filter(at__gte=moment("--since", since))
        if until:
            events = events.filter(at__lt=moment("--until", until, end=True))
        if agent:
            if not Agent.objects.filter(name=agent).exists():
                raise CommandError(f"There is no agent named {agent}.")
            events = events.filter(agent__name=agent)
        return events

    def save(self, pieces: Iterable[str], output: Path) -> None:
        """Put the file in its place when it is whole, readable by us alone."""
        try:
            draft = tempfile.NamedTemporaryFile(  # noqa: SIM115
                "w", encoding="utf-8", newline="", dir=output.parent, delete=False
            )
        except OSError as error:
            raise CommandError(f"Cannot write to {output.parent}: {error}.") from error
        try:
            with draft:
                draft.writelines(pieces)
                draft.flush()
                os.fsync(draft.fileno())
            Path(draft.name).replace(output)
        except OSError as error:
            raise CommandError(f"Cannot write {output}: {error}.") from error
        finally:
            with suppress(FileNotFoundError):
                Path(draft.name).unlink()

    def print(self, pieces: Iterable[str]) -> None:
        """Write the same bytes everywhere: UTF-8, and the line ends of the format."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="")
        try:
            for piece in pieces:
                self.stdout.write(piece, ending="")
            self.stdout.flush()
        except BrokenPipeError:
            # The reader, head perhaps, has seen enough. Nothing is left to flush.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def moment(option: str, text: str, *, end: bool = False) -> datetime:
    """Read RFC 3339, or a date as its first moment in UTC, or as its end."""
    with suppress(ValueError, OverflowError):
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return day + timedelta(days=end)
        if RFC_3339.fullmatch(text):
            told = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
            return told.astimezone(UTC)
    raise CommandError(
        f"{option} {text} is no time: write 2026-11-22T14:00:00Z or 2026-11-22."
    )
