"""Work the clock brings. Every job is safe to run twice, or twice at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

from django.db import DatabaseError

from governance import clock
from governance.models import PendingEvent
from governance.queue import nudge
from notifications import outbox, sending
from notifications.models import Delivery
from notifications.transports.base import DeliveryError

logger = logging.getLogger(__name__)
# What could not be published is tried again every time, and logged only the first.
_reported: set[int] = set()

PAGE = 200
# A slow mail server keeps as many of these waiting at most, and one run no longer
# than a worker may take for it.
AT_ONCE = 8
SECONDS = 15


def publish_events(limit: int = 500) -> int:
    """Turn what happened into deliveries. Return how many events were taken."""
    published = 0
    for pending in _pending():
        try:
            published += outbox.publish(pending)
        except Exception:
            # It stays where it is, and must not keep the others there.
            if pending not in _reported:
                _reported.add(pending)
                logger.exception("Could not publish the pending event %s", pending)
        if published == limit:
            break
    if published:
        nudge("notifications.jobs.send_due")
    return published


def _pending() -> Iterator[int]:
    """Yield the keys of pending rows, oldest first, each once."""
    last = 0
    rows = PendingEvent.objects.filter(reader=outbox.READER).order_by("id")
    while page := list(rows.filter(pk__gt=last).values_list("pk", flat=True)[:PAGE]):
        yield from page
        last = page[-1]


def send_due(limit: int = 500) -> int:
    """Attempt what is due. Return how many attempts were made.

    Transports work in threads, so that one slow receiver delays no other; everything
    that touches the database stays in this one.
    """
    attempts = 0
    under_way: dict[Future[str], Delivery] = {}
    stop_at = time.monotonic() + SECONDS
    rows = Delivery.objects.due(clock.now())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for pk in rows.values_list("pk", flat=True)[:limit]:
            if time.monotonic() > stop_at:
                break
            if len(under_way) == AT_ONCE:
                _note(under_way)
            attempts += _attempt(pk, pool, under_way)
        while under_way:
            _note(under_way)
    return attempts


def _attempt(
    pk: int, pool: ThreadPoolExecutor, under_way: dict[Future[str], Delivery]
) -> bool:
    """Claim one delivery and have it sent. False when it is not ours to send."""
    at = clock.now()
    rows = Delivery.objects.due(at).select_related(
        "event__action",
        "person__preference",
        "person__slack_account",
        "place",
        "edits",
    )
    delivery = rows.filter(pk=pk).first()
    if delivery is None:
        return False
    if delivery.is_exhausted():
        # Every worker that took it died over it.
        sending.fail(delivery, delivery.error or "No attempt came to an end.")
        return True
    if not Delivery.objects.claim(delivery, at):
        return False
    delivery.attempts += 1

    try:
        message = sending.prepare(delivery)
        if message is None:
            sending.drop(delivery)
        else:
            under_way[pool.submit(sending.send, delivery, message)] = delivery
    except Exception as problem:
        _fail(delivery, problem)
    return True


def _note(under_way: dict[Future[str], Delivery]) -> None:
    """Wait for at least one attempt to end, and write down how."""
    done, _ = wait_for(under_way, return_when=FIRST_COMPLETED)
    for future in done:
        delivery = under_way.pop(future)
        problem = future.exception()
        try:
            if problem is None:
                sending.succeed(delivery, future.result())
            else:
                _fail(delivery, problem)
        except DatabaseError:
            # It goes out again, under the same id: so much for "once".
            logger.exception("Could not write down the delivery %s", delivery.pk)


def _fail(delivery: Delivery, problem: BaseException) -> None:
    permanent = isinstance(problem, DeliveryError) and problem.permanent
    if not isinstance(problem, DeliveryError):
        logger.error("The delivery %s cannot be sent", delivery.pk, exc_info=problem)
    wait = problem.wait if isinstance(problem, DeliveryError) else 0
    words = str(problem) or repr(problem)
    sending.fail(delivery, words, permanent=permanent, wait=wait)
