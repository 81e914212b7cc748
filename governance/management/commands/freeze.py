from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance import freezes, words
from governance.errors import Refused
from governance.models import Freeze, User
from governance.text_safety import visible_line


class Command(BaseCommand):
    help = "Stop every action a pattern covers, at once. * stops everything."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("pattern", nargs="?", help="refund.create, refund.* or *")
        parser.add_argument("--reason", default="", metavar="TEXT")
        parser.add_argument("--as", dest="person", metavar="USERNAME")
        parser.add_argument(
            "--list", action="store_true", help="say what is frozen, and change nothing"
        )

    def handle(self, **options: Any) -> None:
        if options["list"]:
            return self.tell()
        if not options["pattern"]:
            raise CommandError("Name what to freeze: refund.create, refund.* or *.")
        author = person(options["person"])
        try:
            frozen = freezes.freeze(
                options["pattern"], reason=options["reason"], author=author
            )
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(line(frozen))

    def tell(self) -> None:
        active = Freeze.objects.active().select_related("frozen_by")
        for frozen in active:
            self.stdout.write(line(frozen))
        if not active:
            self.stdout.write("Nothing is frozen.")


def line(frozen: Freeze) -> str:
    since, who = words.moment(frozen.frozen_at), frozen.frozen_by or "the operator"
    reason = visible_line(frozen.reason)
    return f"{frozen.pattern} is frozen since {since} by {who}: {reason}"


def person(username: str | None) -> User | None:
    """Return whom the command speaks for; nobody is the operator at the terminal."""
    if username is None:
        return None
    try:
        return User.objects.get(username=username)
    except User.DoesNotExist:
        raise CommandError(f"There is no user named {username}.") from None
