from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from approvals import services
from approvals.management import named
from approvals.models import Delegation
from governance import clock
from governance.errors import Refused
from governance.management.commands.export_audit import moment
from governance.models import User
from governance.words import moment as told


class Command(BaseCommand):
    help = (
        "Let somebody decide in place of a person for a time, or end that. Times are "
        "RFC 3339, or a day in UTC; --until a day includes it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("person", metavar="PERSON", help="whose queue it is")
        parser.add_argument("to", metavar="TO", help="who stands in")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--until", metavar="T", help="when it ends")
        what.add_argument(
            "--end", action="store_true", help="end it now, also what has yet to begin"
        )
        parser.add_argument("--from", dest="since", metavar="T", help="default: now")
        parser.add_argument("--reason", default="", metavar="TEXT")

    def handle(self, **options: Any) -> None:
        person, to = named.person(options["person"]), named.person(options["to"])
        try:
            if options["end"]:
                return self.end(person, to)
            self.begin(person, to, options)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal

    def begin(self, person: User, to: User, options: dict[str, Any]) -> None:
        since = options["since"]
        delegation = services.delegate(
            person,
            to,
            starts_at=moment("--from", since) if since else None,
            ends_at=moment("--until", options["until"], end=True),
            reason=options["reason"],
        )
        begin, end = told(delegation.starts_at), told(delegation.ends_at)
        self.stdout.write(f"{to} decides in place of {person} from {begin} to {end}.")

    def end(self, person: User, to: User) -> None:
        rows = Delegation.objects.filter(person=person, to=to, ended_at=None)
        found = list(rows.filter(ends_at__gt=clock.now()))
        if not found:
            raise CommandError(f"{to} does not stand in for {person}.")
        for delegation in found:
            services.end_delegation(delegation)
        self.stdout.write(f"{to} no longer decides in place of {person}.")
