"""How are several slow receivers served at once, without the database in their way?

What is sent is sent in threads; who began it notes how it ended, in the thread that
holds the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, Self, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Crew(Generic[Task, Result]):
    """Threads that send, and what each of them is at. Leaving it waits for all."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.under_way: dict[Future[Result], Task] = {}
        self._pool = ThreadPoolExecutor(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def is_full(self) -> bool:
        return len(self.under_way) >= self.size

    def start(self, task: Task, send: Callable[[], Result]) -> None:
        self.under_way[self._pool.submit(send)] = task

    def ended(
        self, seconds: float | None = None
    ) -> Iterator[tuple[Task, Future[Result]]]:
        """Yield what has ended, after waiting at most so long for the first of them."""
        done, _ = wait(self.under_way, seconds, return_when=FIRST_COMPLETED)
        for future in done:
            yield self.under_way.pop(future), future
