"""Keeps a handful of processes running, and stops them all when it is told to stop.

Every child leads a session of its own, so that a signal to our process group reaches
only us: django-q2 hangs for ever when its whole group is told to terminate. Children
die with us even if we are killed (``config.tied``).
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Self

from django.conf import settings

from config.pulse import Pulse

logger = logging.getLogger(__name__)

# Seconds: between two looks, to stop in peace, and the longest wait for a restart.
PAUSE = 0.1
GRACE = 8
MAX_BACKOFF = 15
# Whoever ran this long starts again without delay.
SETTLED = 30


@dataclass
class Child:
    """One process that should always be running."""

    name: str
    command: Sequence[str]
    fds: tuple[int, ...] = ()
    # Whether the heartbeat depends on it.
    background: bool = False
    process: subprocess.Popen[bytes] | None = None
    _failures: int = 0
    _started_at: float = 0.0
    _start_at: float = 0.0

    def tend(self) -> None:
        """Start it if it should run and does not."""
        if self.process and self.process.poll() is not None:
            self._bury(self.process)
        if self.process is None and time.monotonic() >= self._start_at:
            self._start()

    def terminate(self) -> None:
        """Ask it to stop: the main process only, which tells its own children."""
        if self.process:
            self.process.terminate()

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """End it and everything that it started, at once."""
        if self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _start(self) -> None:
        tie = [sys.executable, "-m", "config.tied", str(os.getpid())]
        self._started_at = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603
            [*tie, *self.command],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            pass_fds=self.fds,
            start_new_session=True,
        )

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        self.kill()
        self.process = None
        lived = time.monotonic() - self._started_at
        self._failures = 0 if lived > SETTLED else self._failures + 1
        wait = min(0.5 * 2**self._failures - 0.5, MAX_BACKOFF)
        self._start_at = time.monotonic() + wait
        how = _how_it_ended(process.returncode)
        logger.warning("%s %s; starting it again in %.1f s.", self.name, how, wait)


class Supervisor:
    """Use it as a context manager, and call ``tend`` until ``stopping``."""

    def __init__(self, children: Sequence[Child], *, patience: float) -> None:
        """``patience`` is how many seconds the queue may be silent."""
        self.children = children
        self.patience = patience
        self.pulse = Pulse()
        self.stopping = False
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # nohup ignores SIGHUP, and means it.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._stop_soon)
        self.pulse.listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def tend(self) -> None:
        """Look after everybody once, and wait a moment."""
        if self.pulse.silence() > self.patience:
            logger.error("The queue is stuck; restarting what works on it.")
            for child in self.children:
                if child.background:
                    child.kill()
            self.pulse.expect_start()
        for child in self.children:
            child.tend()
        time.sleep(PAUSE)

    def _stop_soon(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _stop(self) -> None:
        for child in self.children:
            child.terminate()
        deadline = time.monotonic() + GRACE
        while any(child.is_running() for child in self.children):
            if time.monotonic() > deadline:
                break
            time.sleep(PAUSE)
        for child in self.children:
            child.kill()
            if child.process:
                child.process.wait()


def _how_it_ended(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"
