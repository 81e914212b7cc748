"""What does a set of policies say? Plain data, with no database behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any


class Decision(StrEnum):
    ALLOW = "ALLOW"
    REQUIRE_APPROVAL = "REQUIRE_APPROVAL"
    BLOCK = "BLOCK"

    @property
    def strictness(self) -> int:
        """The higher, the stricter. The strictest decision wins."""
        return list(Decision).index(self)


class Mode(StrEnum):
    DRAFT = "draft"
    MONITOR = "monitor"
    ENFORCE = "enforce"
    RETIRED = "retired"


class OnTimeout(StrEnum):
    """What silence means for a stage, strictest first.

    Rejecting ends the request at once. Escalating gives further people the same time
    again and then rejects. Holding never rejects, and never lets anything through
    either. Approving lets it through without a person.
    """

    REJECT = "reject"
    ESCALATE = "escalate"
    HOLD = "hold"
    APPROVE = "approve"

    @property
    def leniency(self) -> int:
        return list(OnTimeout).index(self)


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule. An empty ``when`` always holds."""

    name: str
    version: int
    actions: tuple[str, ...]
    decision: Decision
    reason: str
    when: str = ""
    flow: str | None = None
    mode: Mode = Mode.ENFORCE


class Period(StrEnum):
    """A window that begins with the calendar's day, week (Monday), month or year."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Lookback:
    """Counts earlier actions that share a key value.

    With ``sum`` it adds up a number, with ``distinct`` it counts different values of a
    path, with ``decision`` it looks only at actions that the policies judged so: those
    allowed by themselves, say. ``key`` is a path, several with ", " between them, or
    empty: then every action shares it. A window slides, or begins with a ``Period`` in
    ``time_zone``.
    """

    name: str
    actions: tuple[str, ...]
    key: str
    window: timedelta | Period
    sum: str | None = None
    distinct: str | None = None
    decision: Decision | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class RiskFactor:
    name: str
    actions: tuple[str, ...]
    points: int
    when: str = ""


@dataclass(frozen=True, slots=True)
class ActionType:
    """What the catalogue knows about an action."""

    name: str
    title: str = ""
    base_risk: int = 0
    reversible: bool = False
    grant: timedelta = timedelta(hours=1)
    summary: str = ""
    params_schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """How sensitive the resources of a type are whose id matches a shell pattern."""

    type: str
    id: str = "*"
    sensitivity: int = 0


@dataclass(frozen=True, slots=True)
class Calendar:
    """When people work: days of the week, hours of the day, and the days that are off.

    ``days`` are 0 (Monday) to 6. ``hours`` are pairs of minutes after midnight, in order
    and apart: 540 to 1020 is nine to five.
    """

    name: str
    time_zone: str = "UTC"
    days: tuple[int, ...] = (0, 1, 2, 3, 4)
    hours: tuple[tuple[int, int], ...] = ((540, 1020),)
    holidays: frozenset[date] = frozenset()


class Do(StrEnum):
    """One step of a silence, when nobody has decided by then."""

    REMIND = "remind"
    ESCALATE = "escalate"
    REJECT = "reject"
    HOLD = "hold"
    APPROVE = "approve"


# What ends a silence. Nothing comes after it.
ENDS = frozenset({Do.REJECT, Do.HOLD, Do.APPROVE})


@dataclass(frozen=True, slots=True)
class Silence:
    """What happens so long after the stage opened. ``to`` is who is asked as well."""

    after: timedelta
    do: Do
    to: tuple[str, ...] = ()
    max_risk: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """So many people of these groups, within so much time.

    Stages of one flow with the same ``step`` are open side by side. What silence does is
    said by ``timeout`` and ``on_timeout``, or step by step by ``silence``, never by
    both. With a ``calendar`` only the time in which people work counts.
    """

    name: str
    groups: tuple[str, ...]
    approvals: int = 1
    step: int = 1
    sla: timedelta | None = None
    timeout: timedelta | None = None
    on_timeout: OnTimeout = OnTimeout.REJECT
    escalate_to: tuple[str, ...] = ()
    auto_approve_max_risk: int | None = None
    rejections: int = 1
    silence: tuple[Silence, ...] = ()
    calendar: str | None = None
    reassign_to: tuple[str, ...] = ()

    def chain(self) -> tuple[Silence, ...]:
        """Return what silence does, step by step, however it was written.

        Empty: it waits for ever.
        """
        if self.silence or self.timeout is None:
            return self.silence
        if self.on_timeout == OnTimeout.ESCALATE:
            return (
                Silence(self.timeout, Do.ESCALATE, self.escalate_to),
                Silence(2 * self.timeout, Do.REJECT),
            )
        end = Do(self.on_timeout)
        return (Silence(self.timeout, end, max_risk=self.auto_approve_max_risk),)


@dataclass(frozen=True, slots=True)
class Flow:
    """Stages in order. ``position`` is the flow's place in the policy file."""

    name: str
    stages: tuple[Stage, ...]
    position: int = 0


@dataclass(frozen=True, slots=True)
class Default:
    """What happens to an action that no policy matches."""

    decision: Decision
    flow: str | None = None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Everything that judges an action, in file order."""

    policies: tuple[Policy, ...] = ()
    lookbacks: tuple[Lookback, ...] = ()
    risk_factors: tuple[RiskFactor, ...] = ()
    action_types: tuple[ActionType, ...] = ()
    resources: tuple[Resource, ...] = ()
    flows: tuple[Flow, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    default: Default | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class AgentFacts:
    name: str
    environment: str = "production"
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """What a lookback found. None: it does not ask for that, or cannot say."""

    count: int
    sum: float | None = None
    distinct: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known about one action at the moment it is judged.

    ``resource`` has the keys ``type`` and ``id``. A lookback that cannot be evaluated
    for this action is absent from ``history``.
    """

    action: str
    params: Mapping[str, Any]
    agent: AgentFacts
    now: datetime
    resource: Mapping[str, str] | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    history: Mapping[str, History] = field(default_factory=dict)
