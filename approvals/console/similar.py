"""How were similar requests decided? The same action, near in amount or by the same rules.

Two queries, of the latest few hundred at most, however many there are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import CharField, QuerySet, Value
from django.db.models.fields.json import KeyTransform

from approvals.console import readings
from approvals.console.words import STATUSES, VERDICTS, Label, listed
from approvals.models import ApprovalRequest, Vote
from governance.models import Action, Status, User

WINDOW = timedelta(days=90)
# How many of the same action are looked at, and how many of them are named.
MOST, LATEST = 300, 5
# From half of the amount to twice as much is near.
NEAR = 2
Outcome = ApprovalRequest.Outcome
DECIDED = (Outcome.APPROVED, Outcome.REJECTED, Outcome.CHANGES_REQUESTED)


@dataclass(frozen=True, slots=True)
class Precedent:
    """One similar request. ``may_open`` is whether the person who looks may see it."""

    request: ApprovalRequest
    label: Label
    said: str
    may_open: bool


@dataclass(frozen=True, slots=True)
class Similar:
    """What they have in common, how often each way was chosen, and the latest."""

    what: str
    counts: list[tuple[Label, int]]
    latest: list[Precedent]
    among: str = f"of the latest {MOST} in {WINDOW.days} days"

    @property
    def total(self) -> int:
        return sum(count for _, count in self.counts)


@dataclass(frozen=True, slots=True)
class _Row:
    request: UUID
    outcome: str
    reasons: list[dict[str, Any]]
    amount: Any
    currency: Any


@dataclass(frozen=True, slots=True)
class _Amount:
    name: str
    exact: Decimal
    currency: str

    def is_near(self, row: _Row) -> bool:
        """Whether the other one is as large, and in the same currency."""
        other = readings.exact(row.amount)
        if other is None or str(row.currency or "").upper() != self.currency:
            return False
        low, high = sorted((self.exact / NEAR, self.exact * NEAR))
        return low <= other <= high

    def range(self) -> str:
        low, high = sorted((self.exact / NEAR, self.exact * NEAR))
        ends = " to ".join(
            readings.written(each, self.currency) for each in (low, high)
        )
        return f"{self.name.replace('_', ' ')} {ends}"


def to(request: ApprovalRequest, action: Action, person: User, at: datetime) -> Similar:
    """Return how people decided on what is similar to this request."""
    amount = _amount_of(request.params)
    rows = [_Row(*row) for row in rows_of(action, amount, at)]
    policies = _policies(action.reasons)
    if amount:
        what, fit = amount.range(), [row for row in rows if amount.is_near(row)]
    else:
        what = "by the same policies"
        fit = [row for row in rows if _policies(row.reasons) & policies]
    counted = Counter(row.outcome for row in fit)
    counts = [(STATUSES[Status(o)], counted[o]) for o in DECIDED if counted[o]]
    return Similar(what, counts, _latest(fit[:LATEST], person))


def _amount_of(params: dict[str, Any]) -> _Amount | None:
    """Return the amount by which people would compare: the first that is money."""
    names = sorted(params, key=lambda name: (name != "amount", name))
    for name in names:
        exact = readings.exact(params[name]) if readings.is_money(name) else None
        if exact:
            return _Amount(name, exact, readings.currency(name, params))
    return None


def rows_of(
    action: Action, amount: _Amount | None, at: datetime
) -> QuerySet[ApprovalRequest, Any]:
    """Select what people decided of the latest they were asked about, newest first."""
    asked = Action.objects.filter(
        name=action.name, decision=Action.Decision.REQUIRE_APPROVAL
    )
    # As the index has them: none that is older is even looked at.
    latest = asked.exclude(pk=action.pk).order_by("-pk").values("pk")[:MOST]
    decided = ApprovalRequest.objects.filter(
        action__in=latest, outcome__in=DECIDED, opened_at__gte=at - WINDOW
    )
    value: Any = (
        KeyTransform(amount.name, "params") if amount else Value("", CharField())
    )
    found = decided.order_by("-action_id", "-revision").values_list(
        "pk", "outcome", "action__reasons", value, KeyTransform("currency", "params")
    )
    return found


def _policies(reasons: list[dict[str, Any]]) -> set[str]:
    return {reason["policy"] for reason in reasons if reason.get("policy")}


def _latest(rows: list[_Row], person: User) -> list[Precedent]:
    keys = [row.request for row in rows]
    visible = ApprovalRequest.objects.visible_to(person).filter(pk__in=keys)
    may_open = set(visible.values_list("pk", flat=True))
    found = ApprovalRequest.objects.filter(pk__in=keys).prefetch_related("votes")
    return [
        Precedent(
            each, STATUSES[Status(each.outcome)], _said(each), each.pk in may_open
        )
        for each in sorted(found, key=lambda each: keys.index(each.pk))
    ]


def _said(request: ApprovalRequest) -> str:
    votes = sorted(request.votes.all(), key=lambda vote: vote.pk)
    return listed([f"{v.by} {VERDICTS[Vote.Verdict(v.verdict)].text}" for v in votes])
