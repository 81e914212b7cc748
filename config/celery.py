"""The Celery application, for an installation that has outgrown one machine.

Nothing imports it unless ``WORKER=celery``. Brokers only make things happen sooner:
what must happen is a row, and beat sends a sweep after it every few seconds.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from django.conf import settings

from config import tied

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# governance.queue calls it by this name.
TASK = "countersign.run"
# Seconds after which a message is dropped: by then the next one has been sent.
USEFUL_FOR = 30

app = Celery("countersign")
app.set_default()
app.conf.update(
    # Celery's word for a Redis that listens on a Unix socket.
    broker_url=settings.REDIS_URL.replace("unix://", "redis+socket://", 1),
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 120,
        "socket_connect_timeout": 1,
        "socket_keepalive": True,
        "health_check_interval": 10,
    },
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_acks_late=True,
    # Without it, a job whose worker is killed is gone, late acknowledgement or not.
    task_reject_on_worker_lost=True,
    task_time_limit=60,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    # In memory: who is due within seconds needs no file to remember it.
    beat_scheduler="celery.beat:Scheduler",
    beat_schedule={
        job: {
            "task": TASK,
            "schedule": seconds,
            "args": [job],
            # Not the interval itself: hosts' clocks differ.
            "options": {"expires": max(seconds, USEFUL_FOR)},
        }
        for job, seconds in settings.JOBS.items()
    },
)


@app.task(name=TASK, expires=USEFUL_FOR)
def run_job(job: str) -> None:
    """Run one of the jobs named in ``settings.JOBS``; anything else is refused."""
    from governance import queue

    queue.run(job)


@signals.worker_init.connect
def fork_without_pool(**extra: Any) -> None:
    from config import pool

    pool.do_without()


@signals.worker_process_init.connect
def leave_no_orphans(**extra: Any) -> None:
    tied.die_with(os.getppid())
