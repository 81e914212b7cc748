from __future__ import annotations

from typing import Any

from django.core.checks import ERROR, CheckMessage
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from config import checks


class Command(BaseCommand):
    help = "Say what is unsafe or wrong in this deployment. Exit 1 on any error."
    # It is here to say what is wrong, also when Django's own checks would stop it.
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        everything = [*checks.OF_SETTINGS, *checks.OF_DATABASE, *checks.OF_BROKER]
        errors = sum(self.examine(check) for check in everything)
        if errors:
            counted = "1 error" if errors == 1 else f"{errors} errors"
            raise CommandError(f"{counted} found.")
        self.stdout.write("Nothing is wrong.")

    def examine(self, check: checks.Check) -> int:
        """Print what a check found. Return how many errors that were."""
        try:
            found = list(check())
        except DatabaseError as error:
            detail = f"The database cannot say: {str(error).splitlines()[0]}."
            found = [CheckMessage(ERROR, detail, id="countersign.E000")]
        for message in found:
            self.tell(message)
        if not found:
            self.stdout.write(f"{self.style.SUCCESS('ok   ')} {check.__doc__}.")
        return sum(message.level >= ERROR for message in found)

    def tell(self, message: CheckMessage) -> None:
        wrong = message.level >= ERROR
        word = self.style.ERROR("error") if wrong else self.style.WARNING("warn ")
        self.stdout.write(f"{word} {message.msg} ({message.id})")
        if message.hint:
            self.stdout.write(f"      {message.hint}")
