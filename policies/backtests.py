"""What would a draft have decided, had it been in force these last days?

A backtest runs in one go in a terminal, or in slices by workers. A slice reads where the
last one ended, builds up what the lookbacks knew at that moment, and goes on for some
seconds. Every two of them it saves all that was found in one conditional statement: a
worker that dies loses no more than that, and of two at the same place one writes.
"""

from __future__ import annotations

import base64
import logging
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

from django.db import DatabaseError

from governance import clock, queue
from governance.errors import Refused
from governance.models import ActionQuerySet, Status, User
from policies import bodies, drafts, findings, history, recorded
from policies.drafts import Draft
from policies.findings import Findings
from policies.models import Backtest, RuleSet
from policies.recorded import Recorded
from policies.replay import Decisions, Outcome, Replay
from policies.rules import Decision

logger = logging.getLogger(__name__)

JOB = "policies.jobs.run_backtests"
MAX_DAYS = 366
# Workers are stopped after 30 seconds.
SLICE = 8.0
LEAST = 3.0
SAVE_EVERY = 2.0
# What one slice can remember in a few seconds.
MAX_REMEMBERED = 250_000
_DECIDED = "decided"
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


def run(draft: Draft, span: Span) -> Iterator[tuple[Recorded, Outcome]]:
    """Yield what both sides say to each action of the span, in order."""
    replay = Replay(draft)
    _remember(replay, span.since, before=span.since)
    for page in recorded.pages(span.actions):
        for action in page:
            yield action, replay.judge(action)


def start(draft: Draft, days: int, *, asked_by: User | None, amount: str) -> Backtest:
    """Have the workers run a backtest. Nothing but its own row is ever written."""
    backtest = Backtest.objects.create(
        draft=draft.changes,
        days=days,
        asked_by=asked_by,
        created_at=clock.now(),
        revision=draft.live.revision or _revision(),
        report=findings.empty(amount),
    )
    queue.nudge(JOB)
    return backtest


def step(backtest: Backtest) -> bool:
    """Work one slice of a backtest. Return whether there is more to do.

    Whatever is wrong with it ends it, with a sentence. A database that is away does
    not: the next turn finds everything as it was.
    """
    try:
        return _Slice(backtest).work()
    except DatabaseError:
        raise
    except Refused as refusal:
        _end(backtest, str(refusal))
    except Exception:
        logger.exception("The backtest %s failed.", backtest.pk)
        _end(backtest, "It failed for a reason that only the server's log can tell.")
    return False


class _Slice:
    """Some seconds of one backtest."""

    def __init__(self, backtest: Backtest) -> None:
        self.backtest = backtest
        self.span = Span(backtest.created_at, backtest.days)
        self.replay = Replay(_draft_of(backtest))
        self.report: dict[str, Any] = backtest.report
        self.decided = _unpacked(self.report.get(_DECIDED, ""))
        self.cursor: UUID | None = backtest.cursor
        self.done = backtest.done
        self.began = time.monotonic()

    def work(self) -> bool:
        """Return whether there is more to do, and nobody else does it."""
        more = self._count()
        if more:
            self._catch_up()
        until = max(self.began + SLICE, time.monotonic() + LEAST)
        while more and (left := until - time.monotonic()) > 0:
            more = self._judge(time.monotonic() + min(left, SAVE_EVERY))
            if not self._save(None if more else clock.now()):
                return False
        return more

    def _count(self) -> bool:
        """Say how much there is to do before it begins. Return whether it may."""
        if self.backtest.total is not None:
            return True
        total = self.span.actions.count()
        return bool(_expected(self.backtest).update(total=total))

    def _save(self, finished_at: datetime | None) -> bool:
        """Keep all that was found. False: somebody else was faster."""
        self.report.pop(_DECIDED, None)
        if self.replay.by_decision and not finished_at:
            self.report[_DECIDED] = _packed(self.decided)
        saved = _expected(self.backtest).update(
            cursor=self.cursor,
            done=self.done,
            report=self.report,
            finished_at=finished_at,
        )
        self.backtest.cursor, self.backtest.done = self.cursor, self.done
        return bool(saved)

    def _judge(self, until: float) -> bool:
        """Judge until then, one action at least. Return whether any are left."""
        found = Findings(self.report)
        for page in recorded.pages(self.span.actions, self.cursor):
            for action in page:
                outcome = self.replay.judge(action)
                found.add(action, outcome)
                decisions = outcome.live.decision, outcome.draft.decision
                self.decided.append(_letter(decisions))
                self.cursor = action.pk
                self.done += 1
                if time.monotonic() > until:
                    return True
        return False

    def _catch_up(self) -> None:
        """Let the lookbacks know what was known where the last slice ended."""
        if self.cursor is None:
            short = _remember(self.replay, self.span.since, before=self.span.since)
        else:
            short = self._remember_more(self.cursor)
        if short:
            self.report["short_memory"] = True

    def _remember_more(self, cursor: UUID) -> bool:
        reached = self.span.actions.filter(pk=cursor)
        at = reached.values_list("created_at", flat=True).first()
        assert at is not None, "Actions stay on record."
        return _remember(
            self.replay, at, reached=cursor, since=self.span.since, decided=self.decided
        )


def _remember(
    replay: Replay,
    at: datetime,
    *,
    before: datetime | None = None,
    reached: UUID | None = None,
    since: datetime | None = None,
    decided: bytearray | None = None,
) -> bool:
    """Count what matters at this moment. Return whether that was cut short.

    Up to the moment ``before``, or up to and with the action ``reached``; from
    ``since`` on, what both sides decided is in ``decided``.
    """
    begins = replay.begins(at)
    if begins is None:
        return False
    actions = recorded.between(begins, before)
    if reached:
        actions = actions.filter(pk__lte=reached)
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
    for letter in decided[len(decided) - inside :]:
        yield _ORDER[letter // len(_ORDER)], _ORDER[letter % len(_ORDER)]


def _letter(decisions: Decisions) -> int:
    live, draft = map(_ORDER.index, decisions)
    return live * len(_ORDER) + draft


def _packed(decided: bytearray) -> str:
    return base64.b64encode(zlib.compress(bytes(decided))).decode()


def _unpacked(text: str) -> bytearray:
    return bytearray(zlib.decompress(base64.b64decode(text)) if text else b"")


def _draft_of(backtest: Backtest) -> Draft:
    """Return the draft on the rules of the moment it was asked for.

    A change of the rules meanwhile must not make two halves of different wholes.
    """
    revision = backtest.revision
    state = history.rules_at(revision) if revision else bodies.empty()
    plan = drafts.recalled(backtest.draft, state)
    return drafts.compiled(plan, {}, revision)


def _revision() -> int:
    found = RuleSet.objects.filter(pk=1).values_list("revision", flat=True).first()
    return found or 0


def _expected(backtest: Backtest) -> Any:
    """Return the row as this worker found it: nothing, if another was faster."""
    return Backtest.objects.filter(
        pk=backtest.pk,
        cursor=backtest.cursor,
        done=backtest.done,
        finished_at=None,
    )


def _end(backtest: Backtest, error: str) -> None:
    _expected(backtest).update(error=error[:500], finished_at=clock.now())
