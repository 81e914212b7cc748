from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from governance import roles


class Command(BaseCommand):
    help = "Make the roles, each with exactly its permissions. Safe to run at any time."

    def handle(self, **options: Any) -> None:
        changed = roles.make()
        for name in changed:
            self.stdout.write(f"Made: {name}")
        if not changed:
            self.stdout.write("Nothing to do: every role is as it should be.")
