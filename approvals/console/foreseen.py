"""What would change, as the agent has it: ``before`` and ``after`` in its context?

Nobody has checked either. Together with the rest it is everything the agent sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from approvals.console import facts
from approvals.console.facts import Fact
from approvals.console.revisions import Difference, differences

NAMES = ("before", "after")


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What differs between the two, and what is in both of them."""

    changes: list[Difference]
    same: list[Fact]


def of(context: dict[str, Any], at: datetime) -> Foreseen | None:
    """Return what the agent foresees, None if it has not sent both."""
    if not all(name in context for name in NAMES):
        return None
    before, after = (list(facts.flatten(context[name], (), at)) for name in NAMES)
    changes = differences(context["before"], context["after"])
    if not changes and before != after:
        # Nothing, as against an empty object.
        changes = [Difference(before[0], after[0])]
    return Foreseen(changes, [fact for fact in after if fact in before])


def rest(context: dict[str, Any], at: datetime) -> list[Fact]:
    """Return what else the agent says."""
    both = of(context, at) is not None
    left = {k: v for k, v in context.items() if not (both and k in NAMES)}
    return list(facts.flatten(left, (), at)) if left else []
