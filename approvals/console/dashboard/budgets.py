"""How is the use of budgets said? Sums beside limits, and bars that warn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from approvals.console import words
from approvals.console.dashboard.board import BAD, INFO, WARN
from policies import budgets
from policies.budgets import Budget, Use

NEAR = 80


@dataclass(frozen=True, slots=True)
class Line:
    key: str
    total: str
    actions: int
    width: float
    colour: str


@dataclass(frozen=True, slots=True)
class Told:
    """One budget as the page shows it."""

    name: str
    about: str
    link: str
    limit: str
    uses: list[Line]


def told(at: datetime) -> Iterator[Told]:
    for budget in budgets.budgets(at):
        lookback, limit = budget.lookback, budget.limit
        yield Told(
            name=lookback.name,
            about=". ".join(_about(budget)),
            link=reverse("admin:policies_lookback_change", args=[lookback.pk]),
            limit="" if limit is None else amount(limit),
            uses=[_line(use, budget) for use in budget.uses],
        )


def _about(budget: Budget) -> Iterator[str]:
    """Say what is added up, since when, and which policies act at which sum."""
    lookback = budget.lookback
    each = f" for each {lookback.key}" if lookback.key else ""
    yield f"{lookback.sum}{each}, since {words.moment(budget.since)}"
    limits = sorted(budget.limits, key=lambda limit: limit.amount)
    for limit in limits:
        yield f"{limit.policy} decides at {amount(limit.amount)}"
    if not limits:
        yield "The conditions compare it with no fixed number"


def _line(use: Use, budget: Budget) -> Line:
    whole = budget.limit or budget.uses[0].total
    percent = 100 * use.total / whole if whole else 100
    over = budget.limit is not None
    colour = (
        BAD if over and percent >= 100 else WARN if over and percent >= NEAR else INFO
    )
    return Line(
        use.key, amount(use.total), use.actions, min(100, round(percent, 1)), colour
    )


def amount(number: float) -> str:
    """Write a sum as people do: ``1,250`` or ``59.97``."""
    return f"{number:,.0f}" if number == int(number) else f"{number:,.2f}"
