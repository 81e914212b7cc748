from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from approvals import authority
from approvals.authority import Standing
from approvals.console import standing
from approvals.management import named
from approvals.models import ApprovalRequest
from governance import clock
from governance.models import User


class Command(BaseCommand):
    help = (
        "Say whether a person may decide a request; if not, why not, and who can. "
        "Exit 0 if they may, 1 if not, 2 if it cannot say. Changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", metavar="ID", help="the action's id")
        parser.add_argument("--as", required=True, dest="person", metavar="USERNAME")

    def handle(self, **options: Any) -> None:
        person = named.person(options["person"])
        found = self.ask(named.request(options["id"]), person)
        self.stdout.write(sentence(found, person))
        if not found.may:
            raise SystemExit(1)

    def ask(self, request: ApprovalRequest, person: User) -> Standing:
        """Ask what the services would, with what silence has decided by now."""
        at = clock.now()
        course = standing.courses_of([request], at)[request.pk]
        return authority.standing(course, request, person, at)


def sentence(found: Standing, person: User) -> str:
    who = person.get_username()
    if found.stage is None:
        return f"{who} may not decide this. {found.why}"
    place = f", in place of {found.for_whom}" if found.for_whom else ""
    return f"{who} may decide this{place}. It counts for {found.stage.name}."
