"""Is this machine already at it? Locks the kernel releases, even after ``kill -9``."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection


@contextmanager
def entered(name: str, *, wait: bool = False) -> Iterator[bool]:
    """Yield whether nobody else on this machine is inside the same name.

    Installations with another database do not count as the same.
    """
    with _lock_file(name).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _lock_file(name: str) -> Path:
    directory = Path(settings.VAR_DIR) / "locks"
    directory.mkdir(parents=True, exist_ok=True)
    database = connection.settings_dict
    identity = [str(database.get(key)) for key in ("NAME", "HOST", "PORT")]
    identity.append(str(database["OPTIONS"].get("host")))
    digest = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:12]
    return directory / f"{name}.{digest}"
