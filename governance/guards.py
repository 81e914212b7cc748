"""Are the triggers of the database there, and in their exact text?

Migrations on SQLite lose triggers without a word, and whoever may alter a table may
drop them: so what is there is compared with what ``governance.triggers`` would create.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.db import models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from governance import triggers

# By name: a trigger's definition, and the body of the function it calls.
Texts = dict[str, tuple[str, str]]

_POSTGRESQL = """
SELECT t.tgname, t.tgenabled::text || ' ' || pg_get_triggerdef(t.oid), p.prosrc
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = %s::regclass AND NOT t.tgisinternal
"""


def faults(connection: BaseDatabaseWrapper) -> list[str]:
    """Return what is wrong with the triggers, in words. Empty: all is well."""
    return [
        fault
        for model in triggers.guarded()
        for fault in _compare(
            model._meta.db_table, *_wanted_and_found(connection, model)
        )
    ]


def _compare(table: str, wanted: Texts, found: Texts) -> Iterator[str]:
    for name, text in wanted.items():
        if name not in found:
            yield f"{table} has no trigger {name}"
        elif found[name] != text:
            yield f"the trigger {name} of {table} has another text"


def _wanted_and_found(
    connection: BaseDatabaseWrapper, model: type[models.Model]
) -> tuple[Texts, Texts]:
    if connection.vendor == "postgresql":
        return _postgresql(connection, model)
    wanted = list(triggers.statements(connection, model))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' "
            "AND tbl_name = %s",
            [model._meta.db_table],
        )
        found = {name: (text, "") for name, text in cursor.fetchall()}
    return {text.split('"')[1]: (text, "") for text in wanted}, found


def _postgresql(
    connection: BaseDatabaseWrapper, model: type[models.Model]
) -> tuple[Texts, Texts]:
    """Compare with the triggers of an empty twin: the server words them its own way.

    The twin is temporary, and hides the real table until the transaction is undone.
    """
    table = model._meta.db_table
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SELECT %s::regclass::oid", [table])
        (real,) = cursor.fetchone()
        found = _read(connection, real)
        cursor.execute(f'CREATE TEMP TABLE "{table}" (LIKE "{table}") ON COMMIT DROP')
        for statement in triggers.statements(connection, model):
            cursor.execute(statement)
        cursor.execute("SELECT %s::regclass::oid", [f"pg_temp.{table}"])
        (twin,) = cursor.fetchone()
        wanted = _read(connection, twin)
        transaction.set_rollback(True, using=connection.alias)
    # Twin and table call the same function: that one is compared with our own text.
    body = triggers.POSTGRESQL_FUNCTION.split("$$")[1]
    return {name: (text, body) for name, (text, _) in wanted.items()}, found


def _read(connection: BaseDatabaseWrapper, table: int) -> Texts:
    with connection.cursor() as cursor:
        cursor.execute(_POSTGRESQL, [table])
        return {
            name: (re.sub(r" ON \S+ ", " ", text), function)
            for name, text, function in cursor
        }
