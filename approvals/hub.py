"""Who waits for which action in this process, and what wakes them?

Decisions made in this process wake directly. Those of other processes arrive by
PostgreSQL's NOTIFY, or on SQLite by its ``data_version``, which moves with every
commit of another connection. Either may be lost: a sweep looks at everything that is
waited for once a second, so that a waiter costs one row of one query.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from django.db import close_old_connections, connection
from django.db.models import Q

from approvals import waiting
from governance import clock
from governance.models import Action, Status

logger = logging.getLogger(__name__)
SWEEP = 0.8
SQLITE_POLL = 0.1
BATCH = 500
# Longer than it takes from reading the clock to the commit.
OVERLAP = timedelta(seconds=2)


class Hub:
    def __init__(self) -> None:
        self.waiting: dict[UUID, set[asyncio.Future[None]]] = {}
        self.tasks: list[asyncio.Task[None]] = []
        # One thread, one connection: SQLite's data_version is counted per connection.
        self.sweeper = ThreadPoolExecutor(1, "sweeper")
        self.version: int | None = None
        self.swept_at = datetime.min.replace(tzinfo=UTC)

    def start(self) -> None:
        self.loop = asyncio.get_running_loop()
        waiting.listeners.add(self.wake_from_thread)
        self.tasks = [self.loop.create_task(self._forever(self._sweep))]
        if connection.vendor == "postgresql":
            self.tasks.append(self.loop.create_task(self._forever(self._listen)))

    async def stop(self) -> None:
        waiting.listeners.discard(self.wake_from_thread)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.wake_all()
        self.sweeper.shutdown()

    def join(self, pk: UUID) -> asyncio.Future[None]:
        """Return a future that is done when the action may have moved."""
        future: asyncio.Future[None] = self.loop.create_future()
        self.waiting.setdefault(pk, set()).add(future)
        return future

    def leave(self, pk: UUID, future: asyncio.Future[None]) -> None:
        futures = self.waiting.get(pk, set())
        futures.discard(future)
        if not futures:
            self.waiting.pop(pk, None)

    def wake(self, pk: UUID) -> None:
        for future in self.waiting.pop(pk, ()):
            if not future.done():
                future.set_result(None)

    def wake_all(self) -> None:
        for pk in tuple(self.waiting):
            self.wake(pk)

    def wake_from_thread(self, pk: UUID) -> None:
        self.loop.call_soon_threadsafe(self.wake, pk)

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it again and again; a fault costs a second and a line in the log."""
        while True:
            try:
                await work()
            except Exception as error:
                logger.warning(
                    "Waiting agents are served by the clock alone: %s", error
                )
                await asyncio.sleep(1)

    async def _listen(self) -> None:
        parameters = connection.get_connection_params()
        for name in ("context", "cursor_factory"):
            # Made for Django's own, synchronous connections.
            parameters.pop(name, None)
        listener = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
        async with listener:
            await listener.execute(f"LISTEN {waiting.CHANNEL}")
            async for notice in listener.notifies():
                self.wake(UUID(notice.payload))

    async def _sweep(self) -> None:
        embedded = connection.vendor == "sqlite"
        await asyncio.sleep(SQLITE_POLL if embedded else SWEEP)
        if self.waiting:
            for pk in await self.loop.run_in_executor(self.sweeper, self._moved):
                self.wake(pk)

    def _moved(self) -> list[UUID]:
        """Return what is waited for and has something to tell, in a thread."""
        try:
            version, at = _version(), clock.now()
            if version is not None and version == self.version:
                return []
            # Who joins from here on looks after the change that was just noticed.
            found = moved(tuple(self.waiting), since=self.swept_at)
            self.version, self.swept_at = version, at - OVERLAP
            return found
        finally:
            close_old_connections()


def _version() -> int | None:
    """Return what moves with every commit of another process, if there is such."""
    if connection.vendor != "sqlite":
        return None
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA data_version")
        (version,) = cursor.fetchone()
    return int(version)


def moved(pks: tuple[UUID, ...], since: datetime) -> list[UUID]:
    """Return those of these actions that are settled, or were changed since then."""
    found: list[UUID] = []
    changed = ~Q(status=Status.PENDING) | Q(updated_at__gte=since)
    for batch in _batches(pks):
        rows = Action.objects.filter(changed, pk__in=batch)
        found += rows.values_list("pk", flat=True)
    return found


def _batches(pks: tuple[UUID, ...]) -> Iterable[tuple[UUID, ...]]:
    return (pks[at : at + BATCH] for at in range(0, len(pks), BATCH))
