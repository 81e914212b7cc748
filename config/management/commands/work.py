from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from config import start, tied
from governance import queue


class Command(BaseCommand):
    help = "Runs jobs from the database's queue, with django-q2. Part of `serve`."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        queue.release()
        # The workers are forks of this process: they must not share a connection.
        start.disconnect()
        tied.die_with_forker()
        call_command("qcluster")
