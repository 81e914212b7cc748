"""Who is served next, on which channel? Each has a lane of its own, so that none waits
for another.

Transports work in threads; everything that touches the database stays in one.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field

from django.db import DatabaseError

from governance import clock
from notifications import bundles, sending
from notifications.bundles import Bundle
from notifications.models import TRANSPORTS, Delivery
from notifications.transports.base import DeliveryError

logger = logging.getLogger(__name__)

# Of each channel: one that is stuck keeps no more threads than these.
AT_ONCE = 4
# After so many failures one after the other a channel rests until the next run.
ENOUGH = 4
# How often it is looked whether something has become due meanwhile.
LOOK = 0.25


@dataclass(slots=True)
class Lane:
    """What is due on one channel, and how the channel does."""

    channel: str
    failures: int = 0
    under_way: dict[Future[str], Bundle] = field(default_factory=dict)
    # What has been tried in this run, whatever came of it.
    seen: set[int] = field(default_factory=set)

    @property
    def is_open(self) -> bool:
        return self.failures < ENOUGH and len(self.under_way) < AT_ONCE

    def next(self) -> int | None:
        """Return what is due first. What was tried in this run is not due again soon."""
        rows = Delivery.objects.due(clock.now()).filter(channel=self.channel)
        keys = rows.values_list("pk", flat=True)[: 2 * AT_ONCE]
        found = next((pk for pk in keys if pk not in self.seen), None)
        if found is not None:
            self.seen.add(found)
        return found


class Lanes:
    """One run: every channel at once, for some seconds."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.left = limit
        self.stop_at = time.monotonic() + seconds
        self.lanes = [Lane(channel) for channel in TRANSPORTS]
        self.attempts = 0

    def run(self) -> int:
        """Attempt what is due. Return how many attempts were made."""
        with ThreadPoolExecutor(AT_ONCE * len(self.lanes)) as pool:
            while self._fill(pool) or self._under_way():
                self._note()
        return self.attempts

    def _fill(self, pool: ThreadPoolExecutor) -> bool:
        """Begin what there is room for. Return whether anything was begun."""
        begun = False
        for lane in self.lanes:
            while lane.is_open and self._may_begin():
                pk = lane.next()
                if pk is None:
                    break
                begun |= self._begin(pk, lane, pool)
        return begun

    def _may_begin(self) -> bool:
        return self.attempts < self.left and time.monotonic() < self.stop_at

    def _begin(self, pk: int, lane: Lane, pool: ThreadPoolExecutor) -> bool:
        """Claim one delivery and have it sent. False when it is not ours to send."""
        bundle = bundles.claim(pk, clock.now())
        if bundle is None:
            return False
        self.attempts += 1
        lane.seen.update(bundle.keys)
        try:
            if message := bundle.prepare():
                future = pool.submit(sending.send, bundle.first, message)
                lane.under_way[future] = bundle
        except Exception as problem:
            _fail(bundle, problem)
        return True

    def _under_way(self) -> set[Future[str]]:
        return {future for lane in self.lanes for future in lane.under_way}

    def _note(self) -> None:
        """Wait a moment for attempts to end, and write down how those did."""
        done, _ = wait_for(self._under_way(), LOOK, return_when=FIRST_COMPLETED)
        for lane in self.lanes:
            for future in done & lane.under_way.keys():
                _note(lane, lane.under_way.pop(future), future)


def _note(lane: Lane, bundle: Bundle, future: Future[str]) -> None:
    problem = future.exception()
    try:
        if problem is None:
            lane.failures = 0
            bundle.succeed(future.result())
        else:
            lane.failures += _is_the_channels(problem)
            _fail(bundle, problem)
    except DatabaseError:
        # It goes out again, under the same id: so much for "once".
        logger.exception("Could not write down the delivery %s", bundle.first.pk)


def _is_the_channels(problem: BaseException) -> bool:
    """Whether the next message would most likely fail as well."""
    return not (isinstance(problem, DeliveryError) and problem.permanent)


def _fail(bundle: Bundle, problem: BaseException) -> None:
    permanent, wait = False, 0.0
    if isinstance(problem, DeliveryError):
        permanent, wait = problem.permanent, problem.wait
    else:
        logger.error(
            "The delivery %s cannot be sent", bundle.first.pk, exc_info=problem
        )
    bundle.fail(str(problem) or repr(problem), permanent=permanent, wait=wait)
