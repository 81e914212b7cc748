"""Make the rules what they were."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance import text_safety
from governance.errors import Refused
from policies import history
from policies.management.people import author_named
from policies.plan import Plan


class Command(BaseCommand):
    help = (
        "Go back to the rules of an earlier revision. That is a change as any other: "
        "checked, versioned, on record. Policies that came later are retired."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", type=int, metavar="REVISION")
        parser.add_argument(
            "--dry-run", action="store_true", help="Show the plan and change nothing."
        )
        parser.add_argument("--author", metavar="USERNAME", help="Who goes back.")
        parser.add_argument("--note", default="", help="Why, for the record.")

    def handle(self, **options: Any) -> None:
        author = author_named(options["author"])
        number = options["number"]
        try:
            if options["dry_run"]:
                self._print(history.preview(number))
                return
            done = history.restore(number, author=author, note=options["note"])
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        self._print(done.plan)
        if done.proposed:
            self.stdout.write(
                f"Proposed as change {done.proposed.pk}: somebody else has to confirm it."
            )
        elif done.plan:
            self.stdout.write(f"The rules are those of revision {number} again.")

    def _print(self, plan: Plan) -> None:
        lines = [line for change in plan.changes for line in change.lines]
        lines += map(str, plan.reorderings)
        for line in lines or ["Nothing to change: the rules already say this."]:
            self.stdout.write(text_safety.visible_line(line))
