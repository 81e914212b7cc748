"""Some seconds of a backtest: where does it go on, and how is it kept?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from governance import clock
from policies import bodies, drafts, history, recorded
from policies.drafts import Draft
from policies.findings import Findings
from policies.models import Backtest
from policies.remembering import Span, letter, packed, remember, unpacked
from policies.replay import Replay

# Workers are stopped after 30 seconds.
SECONDS = 8.0
LEAST = 3.0
SAVE_EVERY = 2.0
_DECIDED = "decided"


@dataclass(slots=True)
class Memory:
    """What this process still knows of the backtest it worked on last."""

    backtest: int
    replay: Replay
    # The last action that it counted.
    reached: UUID | None = None


_memory: Memory | None = None


def forget() -> None:
    """Let go of the last backtest's memory: there is none to go on with."""
    global _memory
    _memory = None


def keep(memory: Memory) -> None:
    """Keep what a slice knew, for the next one in this process."""
    global _memory
    _memory = memory


class Slice:
    """Some seconds of one backtest."""

    def __init__(self, backtest: Backtest) -> None:
        self.backtest = backtest
        self.span = Span(backtest.created_at, backtest.days)
        self.memory = _recall(backtest)
        self.replay = self.memory.replay
        self.report: dict[str, Any] = backtest.report
        self.decided = unpacked(self.report.get(_DECIDED, ""))
        self.cursor: UUID | None = backtest.cursor
        self.done = backtest.done
        self.began = time.monotonic()

    def work(self) -> bool:
        """Return whether there is more to do, and nobody else does it."""
        more = self._count()
        if more:
            self._catch_up()
        until = max(self.began + SECONDS, time.monotonic() + LEAST)
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
        return bool(expected(self.backtest).update(total=total))

    def _save(self, finished_at: datetime | None) -> bool:
        """Keep all that was found. False: somebody else was faster."""
        self.report.pop(_DECIDED, None)
        if self.replay.by_decision and not finished_at:
            self.report[_DECIDED] = packed(self.decided)
        saved = expected(self.backtest).update(
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
                self.decided.append(letter(decisions))
                self.cursor = self.memory.reached = action.pk
                self.done += 1
                if time.monotonic() > until:
                    return True
        return False

    def _catch_up(self) -> None:
        """Let the lookbacks know what was known where the last slice ended.

        If that was in this process they know already; if it went on in another, what
        happened there is enough.
        """
        if self.cursor is None:
            short = remember(self.replay, self.span.since, before=self.span.since)
        else:
            reached = self.span.actions.filter(pk=self.cursor)
            at = reached.values_list("created_at", flat=True).get()
            short = remember(
                self.replay,
                at,
                reached=self.cursor,
                after=self.memory.reached,
                since=self.span.since,
                decided=self.decided,
            )
        self.memory.reached = self.cursor
        if short:
            self.report["short_memory"] = True


def _recall(backtest: Backtest) -> Memory:
    """Return what this process knows of the backtest, but for what is not on record.

    A slice that could not be saved has counted actions that nobody has seen.
    """
    global _memory
    kept, _memory = _memory, None
    ahead = kept and kept.reached and str(kept.reached) > str(backtest.cursor or "")
    if kept is None or kept.backtest != backtest.pk or ahead:
        kept = Memory(backtest.pk, Replay(_draft_of(backtest)))
    return kept


def _draft_of(backtest: Backtest) -> Draft:
    """Return the draft on the rules of the moment it was asked for.

    A change of the rules meanwhile must not make two halves of different wholes.
    """
    revision = backtest.revision
    state = history.rules_at(revision) if revision else bodies.empty()
    plan = drafts.recalled(backtest.draft, state)
    return drafts.compiled(plan, {}, revision)


def expected(backtest: Backtest) -> Any:
    """Return the row as this worker found it: nothing, if another was faster."""
    return Backtest.objects.filter(
        pk=backtest.pk,
        cursor=backtest.cursor,
        done=backtest.done,
        finished_at=None,
    )
