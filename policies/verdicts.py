"""What was said about an action, by whom, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from policies.rules import Calendar, Decision, Stage


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the verdict is what it is: one policy's say, or the default's."""

    policy: str | None
    version: int | None
    decision: Decision
    reason: str

    def as_data(self) -> dict[str, Any]:
        return {
            "policy": self.policy,
            "version": self.version,
            "decision": self.decision.value,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class RiskPart:
    what: str
    points: int

    def as_data(self) -> dict[str, Any]:
        return {"what": self.what, "points": self.points}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say to one action.

    ``evaluated`` is false when anything enforced could not be evaluated. ``monitored``
    is what policies on trial would have said. ``flows`` names everyone's flows, also
    beside a block; ``stages`` are to be opened, and empty unless approval is required.
    ``calendars`` are those that the stages name.
    """

    decision: Decision
    reasons: tuple[Reason, ...]
    monitored: tuple[Reason, ...]
    risk: int
    risk_parts: tuple[RiskPart, ...]
    evaluated: bool
    flows: tuple[str, ...]
    stages: tuple[Stage, ...]
    calendars: Mapping[str, Calendar]
    grant: timedelta
    reversible: bool
    trace: dict[str, Any]
