"""What changed the rules, when, by whom and why?"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance import text_safety
from governance.errors import Refused
from policies import history
from policies.models import Revision


class Command(BaseCommand):
    help = (
        "List the revisions of the rules, newest first; with a number, show what that "
        "one changed; with two, what lies between them."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", nargs="?", type=int, metavar="REVISION")
        parser.add_argument("other", nargs="?", type=int, metavar="OTHER")
        parser.add_argument("--limit", type=int, default=20, help="How many to list.")

    def handle(self, **options: Any) -> None:
        number, other = options["number"], options["other"]
        try:
            if number is None:
                self._say(_line(each) for each in _latest(options["limit"]))
            elif other is None:
                self._show(number)
            else:
                self._compare(number, other)
        except Refused as refusal:
            raise CommandError(str(refusal)) from None

    def _show(self, number: int) -> None:
        revision = Revision.objects.filter(number=number).first()
        if revision is None:
            raise CommandError(f"There is no revision {number} of the rules.")
        changes = history.changed_by(revision)
        self._say([_line(revision), *(line for each in changes for line in each.lines)])

    def _compare(self, old: int, new: int) -> None:
        plan = history.compare(old, new)
        self._say(line for change in plan.changes for line in change.lines)
        self._say(map(str, plan.reorderings))
        if not plan:
            self._say(["Nothing differs."])

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(text_safety.visible_line(line))


def _latest(limit: int) -> Iterable[Revision]:
    return Revision.objects.select_related("author", "confirmed_by")[:limit]


def _line(revision: Revision) -> str:
    who = str(revision.author or "system")
    if revision.confirmed_by:
        who = f"{who}, confirmed by {revision.confirmed_by}"
    at = f"{revision.created_at:%Y-%m-%d %H:%M:%S} UTC"
    return f"{revision.number}  {at}  {who}  {revision.note}".rstrip()
