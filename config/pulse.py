"""How long has nothing come out of the queue, though jobs go in all the time?

A queue can be stuck while every process of it looks alive. So a heartbeat takes the way
all jobs take, and this is where somebody listens for it.
"""

from __future__ import annotations

import time
from datetime import datetime
from threading import Thread

from django.db import DatabaseError, connection

from governance import queue
from governance.models import JobRun

# Seconds that processes may take until their first heartbeat.
STARTING = 45


class Pulse:
    """Measures silence on a clock that nobody sets."""

    def __init__(self) -> None:
        self._last_beat: datetime | None = None
        self._heard_at = 0.0
        self.expect_start()

    def listen(self) -> None:
        """Start listening, in the background: the database may keep us waiting."""
        Thread(target=self._listen, daemon=True, name="pulse").start()

    def expect_start(self) -> None:
        """Be patient: the processes have only just been started."""
        self._heard_at = time.monotonic() + STARTING

    def silence(self) -> float:
        return time.monotonic() - self._heard_at

    def _listen(self) -> None:
        while True:
            try:
                beat = _last_beat()
            except DatabaseError:
                # Without a database nobody has a pulse. Judge them when it is back.
                connection.close()
                self.expect_start()
            else:
                if beat != self._last_beat:
                    self._last_beat, self._heard_at = beat, time.monotonic()
            time.sleep(1)


def _last_beat() -> datetime | None:
    beats = JobRun.objects.filter(job=queue.HEARTBEAT)
    return beats.values_list("last_run_at", flat=True).first()
