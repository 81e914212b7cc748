"""Real processes for the tests: ``manage.py serve`` and Celery, watched from outside."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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


class Running:
    """A command in a process group of its own, and everything it starts."""

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
        if self.top.is_running():
            self._seen |= set(self.top.children(recursive=True))
        return {process for process in self._seen if _lives(process)}

    def child(self, *words: str) -> psutil.Process:
        """Return the first process it started with these words in its command."""
        self.family()
        return eventually(lambda: next(iter(self._children(words)), None))

    def _children(self, words: Sequence[str]) -> list[psutil.Process]:
        children = [p for p in self.top.children() if _lives(p)]
        return [p for p in children if set(words) <= set(p.cmdline())]

    def signal_group(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    def is_gone(self) -> bool:
        self.process.poll()
        return not self.family()


class Serving(Running):
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
    command = [sys.executable, "manage.py", "serve", "--port", "0"]
    with started(command, directory / "serve.log", env) as process:
        yield Serving(process, directory / "serve.log")


@contextmanager
def started(
    command: Sequence[str], log: Path, env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **env},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    family = [psutil.Process(process.pid)]
    try:
        yield process
    finally:
        if family[0].is_running():
            family += family[0].children(recursive=True)
        for each in family:
            if each.is_running():
                each.kill()
        process.wait()


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
