from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from governance import freezes
from governance.errors import Refused
from governance.management.commands.freeze import person
from governance.models import Freeze


class Command(BaseCommand):
    help = "Let go on what was frozen under this very pattern."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("pattern", help="as manage.py freeze --list shows it")
        parser.add_argument("--reason", default="", metavar="TEXT")
        parser.add_argument("--as", dest="person", metavar="USERNAME")

    def handle(self, **options: Any) -> None:
        pattern, author = options["pattern"], person(options["person"])
        frozen = Freeze.objects.active().filter(pattern=pattern).first()
        if frozen is None:
            raise CommandError(f"{pattern} is not frozen: see manage.py freeze --list.")
        try:
            freezes.thaw(frozen, reason=options["reason"], author=author)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{pattern} is thawed.")
