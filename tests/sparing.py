"""What would come out the same in every test, and need not be done again for each?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction
from django.test import TransactionTestCase
from whitenoise.middleware import WhiteNoiseMiddleware

from governance import triggers

# What migrating leaves behind, and no test changes.
KEPT: tuple[type[models.Model], ...] = (ContentType, Permission)


@contextmanager
def static_files_found_once() -> Iterator[None]:
    """Let the first client look for all static files, and the others know them."""
    find = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, Any] = {}

    def add_what_was_found(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            find(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            WhiteNoiseMiddleware, "add_files_from_finders", add_what_was_found
        )
        yield


@contextmanager
def only_filled_tables_emptied() -> Iterator[None]:
    """Delete what a test has committed, past the triggers, and nothing else.

    Django's own flush empties every table, content types too, and makes those anew.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty)
        yield


def _empty(case: TransactionTestCase) -> None:
    filled = _filled()
    guarded = [model for model in triggers.guarded() if model._meta.db_table in filled]
    for model in guarded:
        triggers.remove(connection, model)
    try:
        _delete_all(filled)
    finally:
        for model in guarded:
            triggers.install(connection, model)


def _delete_all(tables: list[str]) -> None:
    """Delete all rows at once: what points at what is asked at the end only."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'DELETE FROM "{table}"')


def _filled() -> list[str]:
    """Return the tables that have rows, by one question."""
    known = connection.introspection.django_table_names(include_views=False)
    kept = {model._meta.db_table for model in KEPT}
    tables = [table for table in known if table not in kept]
    asked = [
        f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM \"{table}\")" for table in tables
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(asked))
        return [table for (table,) in cursor.fetchall()]
