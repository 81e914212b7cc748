"""Apply a policy file: all of it, or nothing."""

from __future__ import annotations

from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance import text_safety
from governance.errors import Refused
from governance.models import User
from policies import files, rows, services
from policies.documents import Document, Mistaken
from policies.management import terminal
from policies.management.people import author_named
from policies.models import ProposedChange
from policies.plan import Plan


class Command(BaseCommand):
    help = (
        "Apply a policy file in one transaction. Rules the file does not name are left "
        "alone. A file with a mistake changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="A policy file; - is stdin.")
        parser.add_argument(
            "--dry-run", action="store_true", help="Show the plan and change nothing."
        )
        parser.add_argument(
            "--prune",
            action="store_true",
            help="Retire policies, and remove other rules, that the file does not name.",
        )
        parser.add_argument(
            "--author", metavar="USERNAME", help="Who changes the rules."
        )
        parser.add_argument("--note", default="", help="Why, for the record.")

    def handle(self, **options: Any) -> None:
        name = options["file"]
        author = author_named(options["author"])
        raw = terminal.read(name)
        try:
            document = files.parse(raw)
            self._load(document, author, options)
        except Mistaken as mistaken:
            terminal.refuse(self, name, mistaken)
        except services.Unfitting as unfitting:
            terminal.refuse(self, name, document.refusal(unfitting.places))
        except Refused as refused:
            raise CommandError(str(refused)) from None

    def _load(
        self, document: Document, author: User | None, options: dict[str, Any]
    ) -> None:
        wish = partial(document.wish, prune=options["prune"])
        if options["dry_run"]:
            plan, proposed = services.preview(wish), None
            missing = rows.missing_groups(plan.after)
        else:
            done = services.change(wish, author=author, note=options["note"])
            plan, missing = done.plan, list(done.new_groups)
            proposed = done.proposed
        self._print(plan)
        self._warn(document, plan, missing, options, pending=bool(proposed))
        if proposed:
            self.stdout.write(_waiting(proposed))
        else:
            self.stdout.write(_summary(plan, dry_run=options["dry_run"]))

    def _print(self, plan: Plan) -> None:
        for change in plan.changes:
            for line in change.lines:
                self._line(line)
        for reordering in plan.reorderings:
            self._line(str(reordering))

    def _line(self, text: str) -> None:
        self.stdout.write(text_safety.visible_line(text))

    def _warn(
        self,
        document: Document,
        plan: Plan,
        missing: list[str],
        options: dict[str, Any],
        *,
        pending: bool,
    ) -> None:
        if options["prune"]:
            for kept in document.kept(plan.after):
                self._warning(kept)
        made = "would be created" if pending or options["dry_run"] else "was created"
        for group in missing:
            self._warning(f"The group {group} did not exist and {made}, empty.")
        for where, why in rows.deserted_stages(plan.after):
            self._warning(f"Nobody could satisfy {where}: {why}.")

    def _warning(self, text: str) -> None:
        line = text_safety.visible_line(f"Warning: {text}")
        self.stderr.write(self.style.WARNING(line))


def _waiting(proposed: ProposedChange) -> str:
    return (
        f"Proposed as change {proposed.pk}. Nothing has changed yet: somebody else has to "
        f"confirm it, in the console or with confirm_rules {proposed.pk} --as USERNAME."
    )


def _summary(plan: Plan, *, dry_run: bool) -> str:
    if not plan:
        return "Nothing to change: the rules already say this."
    signs = [change.sign for change in plan.changes]
    counts = [
        f"{signs.count('+')} new",
        f"{signs.count('~') + len(plan.reorderings)} changed",
        f"{signs.count('-')} retired or removed",
    ]
    done = "Would change" if dry_run else "Done"
    end = " Nothing was changed: this was a dry run." if dry_run else ""
    return f"{done}: {', '.join(counts)}.{end}"
