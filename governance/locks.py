"""Who waits for whom? Named locks that last until the end of the transaction.

PostgreSQL has them as advisory locks. On SQLite every transaction begins IMMEDIATE, so
that there is only ever one, and there is nothing left to lock.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

# Held shared by whoever acts on the rules, and exclusively by whoever changes them.
RULES = "rules"

# In the order of the hashes, which is the same for everyone: no dead-locks.
_KEYED = """
SELECT count(pg_advisory_xact_lock(hash)) FROM (
    SELECT DISTINCT hashtextextended(name, 0) AS hash
    FROM unnest(%s::text[]) AS wanted(name) ORDER BY 1
) AS sorted
"""


def shared(name: str) -> None:
    """Go on together with others that hold this lock shared."""
    _lock("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", name)


def exclusive(name: str) -> None:
    """Go on alone: wait for everyone else who holds this lock."""
    _lock("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", name)


def keyed(names: Iterable[str]) -> None:
    """Take all of these locks exclusively, in one statement."""
    wanted = sorted(set(names))
    if wanted:
        _lock(_KEYED, wanted)


def _lock(statement: str, argument: str | list[str]) -> None:
    # Outside a transaction the lock would be gone before the next statement.
    assert connection.in_atomic_block
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(statement, [argument])
