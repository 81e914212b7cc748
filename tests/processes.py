"""Real processes for the tests: ``manage.py serve`` and Celery, watched from outside."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import psycopg

ROOT = Path(__file__).parent.parent
T = TypeVar("T")


def eventually(question: Callable[[], T | None], within: float = 30) -> T:
    """Ask until the answer is true, and return it. Fail after so many seconds."""
    deadline = time.monotonic() + within
    while not (answer := question()):
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.05)
    return answer


class Serving:
    """A ``serve`` in a process group of its own, and everything it starts."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log
        self.top = psutil.Process(process.pid)
        self._seen: set[psutil.Process] = {self.top}

    @property
    def output(self) -> str:
        return self.log.read_text()

    def family(self) -> set[psutil.Process]:
        """Return all processes it has ever been seen with that are still alive."""
        if _lives(self.top):
            self._seen |= set(self.top.children(recursive=True))
        return {process for process in self._seen if _lives(process)}

    def child(self, word: str) -> psutil.Process:
        """Return the process it started with this word in its command."""
        return eventually(lambda: next(iter(self._children(word)), None))

    def _children(self, word: str) -> list[psutil.Process]:
        return [p for p in self.top.children() if _lives(p) and word in p.cmdline()]

    def signal_group(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    def is_gone(self) -> bool:
        self.process.poll()
        return not self.family()

    @property
    def url(self) -> str:
        """Return where it serves, once it says that it is ready."""
        return eventually(self._find_url, within=60)

    def _find_url(self) -> str | None:
        assert self.process.poll() is None, self.output
        found = re.search(r"Ready: (\S+)/admin/", self.output)
        return found and found[1]

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def serving(directory: Path, **env: str) -> Iterator[Serving]:
    """Run ``manage.py serve`` on a free port."""
    log = directory / "serve.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", "0"],
            cwd=ROOT,
            # Their own: what is set here must not hide that output gets stuck.
            env={**os.environ, "PYTHONUNBUFFERED": "", **env},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Serving(process, log)
    try:
        yield running
    finally:
        running.family()
        # The top first, or it would start the others again.
        process.kill()
        process.wait()
        for each in running.family():
            each.kill()


def last_beat(database_url: str) -> object:
    """Return when a heartbeat last came out of the queue."""
    question = "SELECT last_run_at FROM governance_jobrun WHERE job LIKE '%heartbeat'"
    scheme, _, path = database_url.partition(":///")
    opened: Any = (
        sqlite3.connect(path) if scheme == "sqlite" else psycopg.connect(database_url)
    )
    with closing(opened) as connection:
        row = connection.execute(question).fetchone()
    return row and row[0]


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
