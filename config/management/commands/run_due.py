from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

# What one job does may be work for the next: a message for everyone who is asked. More
# rounds than this are for the next call.
ROUNDS = 20


class Command(BaseCommand):
    help = (
        "Do once everything the clock owes, and say how much. Safe to run at any time, "
        "twice, or in parallel. Exits 1 if a job failed; the others run all the same."
    )

    def handle(self, **options: Any) -> None:
        done = dict.fromkeys(settings.JOBS, 0)
        failed: dict[str, Exception] = {}
        for _ in range(ROUNDS):
            if not self.run_round(done, failed):
                break

        for job, count in done.items():
            self.stdout.write(f"{job}: {count}")
        for job, problem in failed.items():
            self.stderr.write(f"{job} failed: {type(problem).__name__}: {problem}")
        if failed:
            sys.exit(1)

    def run_round(self, done: dict[str, int], failed: dict[str, Exception]) -> int:
        """Run every job once, in the order of the settings. Return how much was done."""
        total = 0
        for job in settings.JOBS:
            if job in failed:
                continue
            try:
                count = import_string(job)() or 0
            except Exception as problem:
                failed[job] = problem
            else:
                done[job] += count
                total += count
        return total
