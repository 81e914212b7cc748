"""Runs our own commands from outside, each on a database of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from tests import servers


def databases() -> Iterator[tuple[str, str]]:
    """Yield the name and the ``DATABASE_URL`` of an empty one of each sort."""
    with tempfile.TemporaryDirectory() as folder:
        yield "SQLite", f"sqlite:///{folder}/bench.sqlite3"
    with servers.postgres() as server:
        yield "PostgreSQL", servers.new_database(server)


def manage(url: str, *arguments: str) -> str:
    return run(url, "manage.py", *arguments)


def run(url: str, *arguments: str) -> str:
    """Run Python on this database, and return what it says."""
    done = subprocess.run(  # noqa: S603 - our own commands
        [sys.executable, *arguments],
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return done.stdout
