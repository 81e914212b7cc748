"""How does an agent that waits learn of a decision at once, from any process?

A decision announces the action's id after its commit. In this process the hub's
waiters wake directly; through PostgreSQL's NOTIFY they wake in every other one. Lost
announcements only cost time: every waiter also looks again by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from uuid import UUID

from django.db import Error, connection, transaction

CHANNEL = "countersign_moved"

logger = logging.getLogger(__name__)
listeners: set[Callable[[UUID], None]] = set()


def announce(pk: UUID) -> None:
    """Wake whoever waits for this action, once the transaction has committed."""
    transaction.on_commit(partial(_wake, pk), robust=True)


def _wake(pk: UUID) -> None:
    for listener in tuple(listeners):
        listener(pk)
    if connection.vendor == "postgresql":
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(pk)])
        except Error:
            logger.warning(
                "Could not announce %s; waiters will look by themselves.", pk
            )
