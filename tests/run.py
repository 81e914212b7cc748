"""Runs all checks and all tests, whatever fails on the way, and sums up honestly.

``make test`` calls it. Arguments are handed to pytest: ``-k refund``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import psutil

from tests import servers

SOURCES = "manage.py config governance policies approvals notifications bench tests"
PYTEST = ["pytest", "-n", str(min(os.cpu_count() or 2, 8))]
# What a developer has set for their own installation is not what is tested.
OURS = {
    "DATABASE_URL",
    "DEBUG",
    "DJANGO_SETTINGS_MODULE",
    "PORT",
    "PUBLIC_URL",
    "REDIS_URL",
    "WORKER",
}

Part = tuple[str, bool, float]


def main(*arguments: str) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parts = [
        run("style", ["ruff", "check", "."]),
        run("format", ["ruff", "format", "--check", "."]),
    ]
    with (
        beside("types", ["mypy", *SOURCES.split()]) as types,
        servers.postgres() as postgres,
    ):
        on_postgres = {"DATABASE_URL": postgres}
        manage = ["manage", "makemigrations", "--check", "--dry-run"]
        only = "--only-database"
        parts += [
            run("migrations", manage, on_postgres),
            run("tests on SQLite", [*PYTEST, *arguments]),
            run("tests on PostgreSQL", [*PYTEST, only, *arguments], on_postgres),
            types.result(),
        ]
    return sum_up(parts)


def run(name: str, module: Sequence[str], env: Mapping[str, str] | None = None) -> Part:
    say(f"\n=== {name}")
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", *module], env={**ours(), **(env or {})}, check=False
    )
    return name, result.returncode == 0, time.monotonic() - began


@contextmanager
def beside(name: str, module: Sequence[str]) -> Iterator[Future[Part]]:
    """Run it on what the tests leave of the machine. It speaks once it is through."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        env=ours(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    psutil.Process(process.pid).nice(10)

    def finish() -> Part:
        said, _ = process.communicate()
        say(f"\n=== {name}\n{said}")
        return name, process.returncode == 0, time.monotonic() - began

    with ThreadPoolExecutor(1) as waiting:
        try:
            yield waiting.submit(finish)
        finally:
            process.kill()


def ours() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in OURS}


def sum_up(parts: Sequence[Part]) -> int:
    say("\n=== summary")
    for name, passed, seconds in parts:
        say(f"{'passed' if passed else 'FAILED'}  {name} ({seconds:.0f} s)")
    failed = [name for name, passed, _ in parts if not passed]
    say(f"Failed: {', '.join(failed)}." if failed else "Everything passed.")
    return 1 if failed else 0


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
