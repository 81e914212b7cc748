"""Work on rules that takes longer than a page. Safe to run twice, or twice at once."""

from __future__ import annotations

from governance import queue
from policies import backtests, slices
from policies.models import Backtest


def run_backtests() -> int:
    """Work one slice of one backtest. Return how many were worked on.

    In no particular order, so that one which cannot be worked on does not come first
    for ever.
    """
    backtest = Backtest.objects.filter(finished_at=None).order_by("?").first()
    if backtest is None:
        slices.forget()
        return 0
    more = backtests.step(backtest)
    if more or Backtest.objects.filter(finished_at=None).exists():
        queue.nudge(backtests.JOB)
    return 1
