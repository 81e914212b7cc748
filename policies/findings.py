"""What came of a backtest? Counted as it goes, kept as JSON, and read by people.

``changes`` says from which decision to which, how often, and how much money that is;
``latest`` which actions, newest first; ``reviews`` how many approvals each group is
asked for, before and after.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from policies.engine import Verdict, lookup
from policies.recorded import Recorded
from policies.replay import Outcome
from policies.rules import Decision, Facts

LATEST = 200
AMOUNT = "params.amount"
CURRENCY = "params.currency"
OTHER = "other"
_MOST_CURRENCIES = 20
_PATH = re.compile(r"(?:params|context)(?:\.[A-Za-z_][A-Za-z0-9_]*){1,10}")
_CURRENCY = re.compile(r"[A-Za-z0-9 ._-]{1,12}")


def empty(amount: str = AMOUNT) -> dict[str, Any]:
    return {
        "amount": amount,
        "looked_at": 0,
        "same": 0,
        "other_people": 0,
        "not_as_then": 0,
        "unevaluable": {"live": 0, "draft": 0},
        "changes": {},
        "reviews": {},
        "latest": [],
    }


def is_path(text: str) -> bool:
    """Whether this says where the money is: ``params.amount``."""
    return len(text) <= 200 and _PATH.fullmatch(text) is not None


class Findings:
    """A report that is being written. ``data`` is what is kept of it."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def add(self, action: Recorded, outcome: Outcome) -> None:
        live, draft, data = outcome.live, outcome.draft, self.data
        data["looked_at"] += 1
        data["not_as_then"] += live.decision != action.decision
        data["unevaluable"]["live"] += not live.evaluated
        data["unevaluable"]["draft"] += not draft.evaluated
        self._ask(live, 0)
        self._ask(draft, 1)
        if live.decision != draft.decision:
            self._change(action, outcome)
            return
        data["same"] += 1
        data["other_people"] += live is not draft and live.stages != draft.stages

    def _ask(self, verdict: Verdict, side: int) -> None:
        """A stage asks each of its groups: anybody in them may be the one."""
        for stage in verdict.stages:
            for group in stage.groups:
                self.data["reviews"].setdefault(group, [0, 0])[side] += stage.approvals

    def _change(self, action: Recorded, outcome: Outcome) -> None:
        move = f"{outcome.live.decision} {outcome.draft.decision}"
        found = self.data["changes"].setdefault(move, {"count": 0, "money": {}})
        found["count"] += 1
        _add_money(found["money"], outcome.facts, self.data["amount"])
        self.data["latest"].insert(0, _told(action, outcome))
        del self.data["latest"][LATEST:]


def _add_money(money: dict[str, str], facts: Facts, path: str) -> None:
    amount = _amount(facts, path)
    if amount is None:
        return
    currency = lookup(_roots(facts), CURRENCY)
    known = isinstance(currency, str) and _CURRENCY.fullmatch(currency)
    name = str(currency) if known else ""
    if name not in money and len(money) >= _MOST_CURRENCIES:
        name = OTHER
    money[name] = str(Decimal(money.get(name, "0")) + amount)


def _amount(facts: Facts, path: str) -> Decimal | None:
    """Return the number at this path as people write it: 19.99, not its double."""
    value = lookup(_roots(facts), path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(repr(value))


def _roots(facts: Facts) -> Mapping[str, Any]:
    return {"params": facts.params, "context": facts.context}


def _told(action: Recorded, outcome: Outcome) -> dict[str, Any]:
    return {
        "id": str(action.pk),
        "summary": action.summary or action.name,
        "at": action.created_at.isoformat(),
        "live": str(outcome.live.decision),
        "draft": str(outcome.draft.decision),
        "because": {
            "live": list(_because(outcome.live)),
            "draft": list(_because(outcome.draft)),
        },
    }


def _because(verdict: Verdict) -> Iterator[str]:
    """Yield the policies that decided, or what decided instead of one."""
    for reason in verdict.reasons:
        if reason.decision == verdict.decision:
            yield reason.policy or reason.reason


def movements(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return from which decision to which, the most frequent first."""
    found = []
    for move, change in data["changes"].items():
        before, after = move.split(" ")
        found.append({"before": before, "after": after, **change})
    return sorted(found, key=lambda each: -each["count"])


def money(data: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return how much moves from which decision to which, by currency."""
    return [
        {
            "before": each["before"],
            "after": each["after"],
            "currency": currency,
            "amount": f"{Decimal(amount).normalize():,f}",
        }
        for each in movements(data)
        for currency, amount in sorted(each["money"].items())
    ]


def reviews(data: Mapping[str, Any], days: int) -> list[dict[str, Any]]:
    """Return how many approvals a day each group is asked for, before and after."""
    return [
        {"group": group, "before": before / days, "after": after / days}
        for group, (before, after) in sorted(data["reviews"].items())
    ]


def words(decision: str) -> str:
    """Return a decision as people say it."""
    return {
        Decision.ALLOW: "automatic",
        Decision.REQUIRE_APPROVAL: "review",
        Decision.BLOCK: "blocked",
    }[Decision(decision)]


def as_data(data: Mapping[str, Any], days: int) -> dict[str, Any]:
    """Return the whole report for machines. Money is text, so that no cent is lost."""
    kept: Iterable[str] = (
        "looked_at",
        "same",
        "other_people",
        "not_as_then",
        "unevaluable",
    )
    return {
        "days": days,
        **{name: data[name] for name in kept},
        "changes": movements(data),
        "money": {"path": data["amount"], "moves": money(data)},
        "reviews_a_day": reviews(data, days),
        "latest": data["latest"],
    }
