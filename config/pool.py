"""Which processes share database connections among threads, and which must not?"""

from __future__ import annotations

from django.db import connection


def do_without() -> None:
    """Use plain connections in this process and in those it forks.

    A forked process would inherit the open connections of a pool and talk on them at
    the same time as its parent. Workers have one thread each, and need no pool.
    """
    if connection.vendor == "postgresql":
        connection.settings_dict["OPTIONS"].pop("pool", None)
        connection.settings_dict |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


def close() -> None:
    """Leave no connection open, not even in a pool."""
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]
