"""Work the clock brings. Every job is safe to run twice, or twice at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from governance.models import PendingEvent
from governance.queue import nudge
from notifications import outbox
from notifications.lanes import Lanes

logger = logging.getLogger(__name__)
# What could not be published is tried again every time, and logged only the first.
_reported: set[int] = set()

PAGE = 200
# One run takes no longer than a worker may take for it.
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
    """Attempt what is due, on every channel at once. Return how many attempts."""
    return Lanes(limit, SECONDS).run()
