"""Whose turn is it? Gives every job its turns while django-q2 does the work.

django-q2's own schedules go by the minute, and Celery has beat for this.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Q

from governance import clock, queue
from governance.models import JobRun

logger = logging.getLogger(__name__)
PAUSE = 0.2


def tick_for_ever() -> None:
    while True:
        try:
            tick()
        except DatabaseError as problem:
            logger.warning("No turns while the database is away: %s", problem)
            connection.close()
            time.sleep(2)
        time.sleep(PAUSE)


def tick() -> list[str]:
    """Enqueue the jobs that are due, and return them.

    Several tickers may tick at once: whoever moves ``next_at`` on has the turn.
    """
    known = dict(JobRun.objects.values_list("job", "next_at"))
    now = clock.now()
    new = [JobRun(job=job, next_at=now) for job in settings.JOBS if job not in known]
    if new:
        JobRun.objects.bulk_create(new, ignore_conflicts=True)
        known |= {turn.job: turn.next_at for turn in new}

    maybe_due = [
        job
        for job, seconds in settings.JOBS.items()
        if not now < known[job] <= now + timedelta(seconds=seconds)
    ]
    if not maybe_due:
        return []
    with transaction.atomic():
        taken = [job for job in maybe_due if _take_turn(job)]
        for job in taken:
            queue.enqueue(job)
    return taken


def _take_turn(job: str) -> bool:
    now = clock.now()
    next_at = now + timedelta(seconds=settings.JOBS[job])
    # Further away than one interval: the clock was set back. Do not wait for it.
    due = Q(next_at__lte=now) | Q(next_at__gt=next_at)
    return JobRun.objects.filter(due, job=job).update(next_at=next_at) == 1
