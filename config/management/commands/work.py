from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection

from config import pool, tied
from governance import queue


class Command(BaseCommand):
    help = "Runs jobs from the database's queue, with django-q2. Part of `serve`."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        pool.do_without()
        queue.release()
        connection.close()
        tied.die_with_forker()
        call_command("qcluster")
