"""What would a draft have decided, had it been in force these last days?

A backtest runs in one go in a terminal, or in slices by workers. A slice reads where the
last one ended, builds up what the lookbacks knew at that moment, and goes on for some
seconds. Every two of them it saves all that was found in one conditional statement: a
worker that dies loses no more than that, and of two at the same place one writes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.db import DatabaseError

from governance import clock, queue
from governance.errors import Refused
from governance.models import User
from policies import findings, recorded, slices
from policies.drafts import Draft
from policies.models import Backtest, RuleSet
from policies.recorded import Recorded
from policies.remembering import Span, remember
from policies.replay import Outcome, Replay
from policies.slices import Slice

logger = logging.getLogger(__name__)

JOB = "policies.jobs.run_backtests"
MAX_DAYS = 366


def run(draft: Draft, span: Span) -> Iterator[tuple[Recorded, Outcome]]:
    """Yield what both sides say to each action of the span, in order."""
    replay = Replay(draft)
    remember(replay, span.since, before=span.since)
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
        work = Slice(backtest)
        more = work.work()
        if more:
            slices.keep(work.memory)
        return more
    except DatabaseError:
        raise
    except Refused as refusal:
        _end(backtest, str(refusal))
    except Exception:
        logger.exception("The backtest %s failed.", backtest.pk)
        _end(backtest, "It failed for a reason that only the server's log can tell.")
    return False


def _revision() -> int:
    found = RuleSet.objects.filter(pk=1).values_list("revision", flat=True).first()
    return found or 0


def _end(backtest: Backtest, error: str) -> None:
    slices.expected(backtest).update(error=error[:500], finished_at=clock.now())
