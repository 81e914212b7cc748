"""What time is it? The database's wall clock answers, and only services and jobs ask.

Deadlines are compared inside SQL statements with ``WallClock()``. It is read when the
statement reaches the row, not when the statement or its transaction began: a decision
that waited for a lock past the deadline comes too late. Tests move time with
``shifted``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func
from django.db.models.sql.compiler import SQLCompiler

_shift = timedelta(0)


class WallClock(Func):
    """The database's wall clock at the instant a statement reaches a row."""

    function = "CLOCK_TIMESTAMP"
    arity = 0
    output_field = DateTimeField()

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, list[Any]]:
        if not _shift:
            return "CLOCK_TIMESTAMP()", []
        return "(CLOCK_TIMESTAMP() + %s::interval)", [_shift]

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        # In the form Django stores, so that text compares like time.
        sql = "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f000', 'now', %s)"
        return sql, (f"{_shift.total_seconds():+.3f} seconds",)


def now() -> datetime:
    """Return the time by the database's wall clock, in UTC."""
    if connection.vendor == "sqlite":
        # The database lives in this process: its clock is ours.
        return datetime.now(UTC) + _shift
    with connection.cursor() as cursor:
        cursor.execute("SELECT CLOCK_TIMESTAMP()")
        (at,) = cursor.fetchone()
    return at.astimezone(UTC) + _shift  # type: ignore[no-any-return]


@contextmanager
def shifted(by: timedelta) -> Iterator[None]:
    """Move the clock, for tests that cannot wait for a deadline."""
    global _shift
    before, _shift = _shift, _shift + by
    try:
        yield
    finally:
        _shift = before
