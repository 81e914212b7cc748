"""The second person's word on a change of the rules."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance import text_safety
from governance.errors import Refused
from governance.models import User
from policies import proposals, services
from policies.management.people import author_named
from policies.models import ProposedChange


class Command(BaseCommand):
    help = (
        "Confirm a proposed change of the rules, which puts it in force; or decline it. "
        "Without an id: list what waits."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", nargs="?", type=int, metavar="ID")
        parser.add_argument("--as", dest="person", metavar="USERNAME")
        parser.add_argument("--decline", action="store_true")
        parser.add_argument("--comment", default="", metavar="TEXT")

    def handle(self, **options: Any) -> None:
        if options["id"] is None:
            self._list()
            return
        person = author_named(options["person"])
        if person is None:
            raise CommandError("Say who confirms or declines: --as USERNAME.")
        proposed = ProposedChange.objects.filter(pk=options["id"]).first()
        if proposed is None:
            raise CommandError(f"There is no proposed change {options['id']}.")
        try:
            said = self._decide(proposed, person, options)
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        self.stdout.write(said)

    def _decide(
        self, proposed: ProposedChange, person: User, options: dict[str, Any]
    ) -> str:
        comment = options["comment"]
        if options["decline"]:
            proposals.decline(proposed, person, comment=comment)
            return f"Declined change {proposed.pk}: the rules stay as they are."
        services.confirm(proposed, person, comment=comment)
        return f"Confirmed change {proposed.pk}: it is in force."

    def _list(self) -> None:
        waiting = ProposedChange.objects.filter(outcome="").select_related("author")
        for proposed in waiting.order_by("id"):
            title = f"{proposed.pk}  by {proposed.author}  {proposed.note}"
            for line in [title, *proposals.lines(proposed)]:
                self.stdout.write(text_safety.visible_line(line))
        if not waiting:
            self.stdout.write("Nothing waits to be confirmed.")
