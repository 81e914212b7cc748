"""What must lookbacks know before a replay can begin, or go on?

What was decided on actions that were judged already is kept as one byte for each of
them: lookbacks that go by decisions need it, and judging again would take too long.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID

from governance.models import ActionQuerySet, Status
from policies import recorded
from policies.replay import Decisions, Replay
from policies.rules import Decision

# What a worker can remember in a few seconds.
MAX_REMEMBERED = 250_000
_ORDER = list(Decision)


@dataclass(frozen=True, slots=True)
class Span:
    """The days that are looked at, up to the moment somebody asked."""

    until: datetime
    days: int

    @property
    def since(self) -> datetime:
        return self.until - timedelta(days=self.days)

    @property
    def actions(self) -> ActionQuerySet:
        return recorded.between(self.since, self.until)


def remember(
    replay: Replay,
    at: datetime,
    *,
    before: datetime | None = None,
    reached: UUID | None = None,
    after: UUID | None = None,
    since: datetime | None = None,
    decided: bytearray | None = None,
) -> bool:
    """Count what matters at this moment. Return whether that was cut short.

    Up to the moment ``before``, or behind the action ``after``, if that is known
    already, up to and with ``reached``. From ``since`` on, what both sides decided is
    in ``decided``.
    """
    begins = replay.begins(at)
    if begins is None or (reached and reached == after):
        return False
    actions = recorded.between(begins, before)
    if reached:
        actions = actions.filter(pk__lte=reached)
    if after:
        actions = actions.filter(pk__gt=after)
    if not replay.by_decision:
        patterns = chain.from_iterable(b.actions for b in replay.lookbacks)
        actions = actions.filter(recorded.covered_by(patterns))
        actions = actions.exclude(status=Status.BLOCKED)
    floor = _floor(actions)
    if floor:
        actions = actions.filter(pk__gt=floor)
    known = _known(actions, since, decided) if since and decided else iter(())
    for page in recorded.pages(actions):
        for action in page:
            judged = since is not None and action.created_at >= since
            replay.remember(action, next(known, None) if judged else None)
    return floor is not None


def _floor(actions: ActionQuerySet) -> UUID | None:
    """Return the action before the newest that can be remembered, if there is one."""
    newest = actions.order_by("-pk").values_list("pk", flat=True)
    return newest[MAX_REMEMBERED : MAX_REMEMBERED + 1].first()


def _known(
    actions: ActionQuerySet, since: datetime, decided: bytearray
) -> Iterator[Decisions]:
    """Yield what was decided on those of the span, which end with the last decided."""
    inside = actions.filter(created_at__gte=since).count()
    for each in decided[len(decided) - inside :]:
        yield _ORDER[each // len(_ORDER)], _ORDER[each % len(_ORDER)]


def letter(decisions: Decisions) -> int:
    live, draft = (_ORDER.index(Decision(each)) for each in decisions)
    return live * len(_ORDER) + draft


def packed(decided: bytearray) -> str:
    return base64.b64encode(zlib.compress(bytes(decided))).decode()


def unpacked(text: str) -> bytearray:
    return bytearray(zlib.decompress(base64.b64decode(text)) if text else b"")
