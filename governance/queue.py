"""How does a job get to run, and where is it noted that it did?

What there is to do is always a row somewhere. Jobs are sweeps over such rows: they take
no arguments, and running one twice does no harm. A nudge only makes a job run sooner,
and may get lost with the broker that carried it: the job's next turn, which
``settings.JOBS`` gives it every few seconds, finds the same rows.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.tasks import async_task

from governance import clock, solo
from governance.models import JobRun

logger = logging.getLogger(__name__)

HEARTBEAT = "governance.queue.heartbeat"

_sender = ThreadPoolExecutor(1, thread_name_prefix="nudges")
_unsent: set[str] = set()
# What each job was last logged to fail with, and when.
_complaints: dict[str, tuple[str, float]] = {}


def nudge(job: str) -> None:
    """Have a job run soon after this transaction commits; never if it rolls back."""
    # Robust: a broker that refuses must not turn a committed decision into an error.
    transaction.on_commit(lambda: enqueue(job), robust=True)


def enqueue(job: str) -> None:
    """Ask the workers for one run of a job, unless the same request still waits."""
    if settings.WORKER == "celery":
        _enqueue_on_celery(job)
    elif job not in _waiting():
        # Jobs report their own failures: a row for each success would be noise.
        async_task("governance.queue.run", job, task_name=job, save=False)


def run(job: str) -> None:
    """Run a job once, unless this machine is already at it, and note that it ran.

    Never raises: a job that fails is logged, and has its next turn soon. Jobs do not
    overlap, so that one which waits for a slow mail server takes one worker, not all.
    """
    if job not in settings.JOBS:
        logger.error("%s is not named in settings.JOBS.", job)
        return
    with solo.entered(job) as alone:
        if not alone:
            return
        try:
            import_string(job)()
            _note(job)
        except Exception as problem:
            _complain(job, problem)


def heartbeat() -> int:
    """Do nothing, through the whole queue: that it ran is the message."""
    return 0


def release() -> int:
    """Hand out again what dead workers had taken. Return how many jobs that were.

    For a cluster that starts: until then the queue holds such jobs back for
    ``Q_CLUSTER["retry"]`` seconds.
    """
    taken = OrmQ.objects.filter(key=_key(), lock__gt=clock.WallClock())
    released: int = taken.update(lock=clock.now())
    return released


def _complain(job: str, problem: Exception) -> None:
    """Log a failure, but not every second for as long as it lasts."""
    same, since = _complaints.get(job, ("", 0.0))
    now = time.monotonic()
    if same != repr(problem) or now - since > 60:
        _complaints[job] = repr(problem), now
        logger.error("The job %s failed.", job, exc_info=problem)


def _note(job: str) -> None:
    now = clock.now()
    if not JobRun.objects.filter(job=job).update(last_run_at=now):
        first = JobRun(job=job, next_at=now, last_run_at=now)
        JobRun.objects.bulk_create([first], ignore_conflicts=True)


def _waiting() -> set[str]:
    """Return the jobs in the queue that no worker has taken yet."""
    # django-q2 stamps rows by the clock of its own process, which may be a little ahead.
    soon = clock.now() + timedelta(seconds=1)
    rows = OrmQ.objects.filter(key=_key(), lock__lte=soon)
    return {argument for row in rows for argument in row.args() or ()}


def _key() -> str:
    key: str = get_broker().list_key
    return key


def _enqueue_on_celery(job: str) -> None:
    """Leave the sending to another thread: a broker that is away is not felt here."""
    if job not in _unsent:
        _unsent.add(job)
        _sender.submit(_send_to_celery, job)


def _send_to_celery(job: str) -> None:
    from celery import current_app

    _unsent.discard(job)
    try:
        current_app.tasks["countersign.run"].apply_async((job,), retry=False)
    except Exception as problem:
        logger.warning("Could not ask Celery to run %s: %s", job, problem)
