"""Why did a command fail at the database? Mostly because nobody has set it up yet."""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from config import health


def reason() -> str:
    """Say what the database lacks, after a command has failed there; nothing if it does
    not."""
    try:
        missing = health.unapplied()
    except DatabaseError:
        return ""
    if not missing:
        return ""
    name = connections[DEFAULT_DB_ALIAS].settings_dict["NAME"]
    return (
        f"Error: The database {name} is not set up: it lacks {missing} migrations. Run "
        "manage.py migrate first, or name another database in DATABASE_URL."
    )
