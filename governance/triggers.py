"""What does the database itself refuse, whoever asks?

A model says it in its class body: ``append_only = True`` (rows are only ever added)
or ``frozen = ("params", …)`` (these columns keep their value, and the row stays), with
``thawed_by = "revision"`` where a step of that number opens them. The triggers are
re-created after every migration, because Django rebuilds tables on SQLite and loses
them without a word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import AppConfig, apps
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

PREFIX = "countersign_"


def guarded(app: AppConfig | None = None) -> list[type[models.Model]]:
    """Return the models that ask for protection."""
    found = app.get_models() if app else apps.get_models()
    return [
        model
        for model in found
        if getattr(model, "append_only", False) or getattr(model, "frozen", ())
    ]


def install_after_migrate(
    app_config: AppConfig, using: str = DEFAULT_DB_ALIAS, **extra: Any
) -> None:
    tables = connections[using].introspection.table_names()
    for model in guarded(app_config):
        if model._meta.db_table in tables:
            install(connections[using], model)


def install(connection: BaseDatabaseWrapper, model: type[models.Model]) -> None:
    remove(connection, model)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(POSTGRESQL_FUNCTION)
        for statement in statements(connection, model):
            cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper, model: type[models.Model]) -> None:
    """Drop the triggers. Only ``install`` and a test's clean-up have reason to."""
    table = model._meta.db_table
    on = f' ON "{table}"' if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        for name in ("update", "delete", "replace", "truncate"):
            cursor.execute(f'DROP TRIGGER IF EXISTS "{PREFIX}{table}_{name}"{on}')


def statements(
    connection: BaseDatabaseWrapper, model: type[models.Model]
) -> Iterator[str]:
    """Yield the statements that create this model's triggers, in their exact text."""
    if connection.vendor == "postgresql":
        yield from _postgresql(model)
    else:
        yield from _sqlite(model)


POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION countersign_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'countersign: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""


def _postgresql(model: type[models.Model]) -> Iterator[str]:
    table = model._meta.db_table
    changed = _changed(model, "IS DISTINCT FROM")
    refuse = "EXECUTE FUNCTION countersign_refuse()"
    rows = [
        ("update", f'BEFORE UPDATE ON "{table}" FOR EACH ROW {changed} {refuse}'),
        ("delete", f'BEFORE DELETE ON "{table}" FOR EACH ROW {refuse}'),
        ("truncate", f'BEFORE TRUNCATE ON "{table}" FOR EACH STATEMENT {refuse}'),
    ]
    for name, body in rows:
        trigger = f'"{PREFIX}{table}_{name}"'
        yield f"CREATE TRIGGER {trigger} {body}"
        # Also in a session that calls itself a replica.
        yield f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {trigger}'


def _sqlite(model: type[models.Model]) -> Iterator[str]:
    table = model._meta.db_table
    key = model._meta.pk.column
    changed = _changed(model, "IS NOT")
    # INSERT OR REPLACE deletes the old row without asking the delete trigger.
    exists = f'WHEN EXISTS (SELECT 1 FROM "{table}" WHERE "{key}" = NEW."{key}")'  # noqa: S608
    rows = [
        ("update", "UPDATE", changed),
        ("delete", "DELETE", ""),
        ("replace", "INSERT", exists),
    ]
    for name, verb, when in rows:
        yield (
            f'CREATE TRIGGER "{PREFIX}{table}_{name}" BEFORE {verb} ON "{table}" '
            f"FOR EACH ROW {when} BEGIN "
            f"SELECT RAISE(ABORT, 'countersign: {verb} on {table} is refused'); END"
        )


def _changed(model: type[models.Model], differs: str) -> str:
    """Return the WHEN clause of the update trigger: empty for any update at all."""
    frozen: tuple[str, ...] = getattr(model, "frozen", ())
    if not frozen:
        return ""
    fields = [field for field in model._meta.fields if field.name in frozen]
    columns = [field.column for field in fields]
    clause = " OR ".join(f'NEW."{c}" {differs} OLD."{c}"' for c in columns)
    thawed_by = getattr(model, "thawed_by", "")
    # A model may also have a field of that name: who thawed it.
    if isinstance(thawed_by, str) and thawed_by:
        clause = f'NEW."{thawed_by}" = OLD."{thawed_by}" AND ({clause})'
    return f"WHEN ({clause})"
