"""What has to be true before the first process starts?"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from django.core.management import call_command
from django.db import connection

from config import health, pool
from config.settings import env
from governance import roles, solo
from governance.models import User

logger = logging.getLogger(__name__)

LOCK = "start"
PATIENCE = 120


class NewAdministrator(NamedTuple):
    username: str
    password: str


def prepare() -> NewAdministrator | None:
    """Migrate the database, make the roles, and see to it that somebody can log in.

    Safe when several machines start at once. Returns the administrator it made up
    a password for, if it did.
    """
    with _one_at_a_time():
        if health.unapplied():
            call_command("migrate", interactive=False, verbosity=0)
        roles.make()
        return first_administrator()


def first_administrator() -> NewAdministrator | None:
    """Create one from Django's own variables, or with a random password."""
    if User.objects.filter(is_superuser=True, is_active=True).exists():
        return None
    username = env.str("DJANGO_SUPERUSER_USERNAME", default="admin")
    given = env.str("DJANGO_SUPERUSER_PASSWORD", default="")
    email = env.str("DJANGO_SUPERUSER_EMAIL", default="")
    if User.objects.filter(username=username).exists():
        # Nobody becomes an administrator because of what they are called.
        logger.error("There is no administrator: run manage.py createsuperuser.")
        return None
    password = given or secrets.token_urlsafe(12)
    User.objects.create_superuser(username, email, password)
    return None if given else NewAdministrator(username, password)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with solo.entered(LOCK, wait=True):
        if connection.vendor != "postgresql":
            yield
            return
        try:
            _wait_for_lock()
            yield
        finally:
            # With the session end the lock and the setting.
            pool.close()


def _wait_for_lock() -> None:
    deadline = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:
        # A migration may take longer than any request.
        cursor.execute("SET statement_timeout = 0")
        while time.monotonic() < deadline:
            cursor.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [LOCK]
            )
            if cursor.fetchone() == (True,):
                return
            time.sleep(0.2)
    raise TimeoutError("Another start has been migrating this database for minutes.")
