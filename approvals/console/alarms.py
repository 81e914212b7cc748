"""What must nobody in the console overlook? What is frozen, and broken glass.

Every page says so, and both are read in one query.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import CharField, DateTimeField, F, IntegerField, Value
from django.db.models.functions import Cast
from django.http import HttpRequest

from approvals.course import Course
from approvals.models import BreakGlass
from governance.clock import WallClock
from governance.models import Action, Freeze, User
from policies import patterns


@dataclass(frozen=True, slots=True)
class Alarm:
    """One stop button that is pressed, or one glass that is broken."""

    kind: str
    pk: int
    pattern: str
    reason: str
    person_id: int | None
    person: str
    since: datetime
    agent_id: int | None
    agent: str | None
    until: datetime | None

    @property
    def is_freeze(self) -> bool:
        return self.kind == "frozen"

    @property
    def everything(self) -> bool:
        return self.pattern == "*"

    def covers(self, action: Action) -> bool:
        return patterns.matches(self.pattern, action.name) and (
            self.agent_id in (None, action.agent_id)
        )


class Alarms:
    """Read when a page first asks, and not by those who show no page."""

    @cached_property
    def all(self) -> list[Alarm]:
        found = [Alarm(*row) for row in _glasses().union(_freezes(), all=True)]
        # What stops comes first, the widest of it on top.
        return sorted(found, key=lambda a: (not a.is_freeze, len(a.pattern), a.pk))

    def freezing(self, action: Action) -> Alarm | None:
        """Return what stops this action, if anything does."""
        found = (a for a in self.all if a.is_freeze and a.covers(action))
        return next(found, None)

    def glass_of(self, person: User, course: Course) -> Alarm | None:
        """Return the glass by which this person could let this through."""
        action = course.action
        if action.agent.owner_id == person.pk:
            return None
        own = (a for a in self.all if a.kind == "glass" and a.person_id == person.pk)
        return next((alarm for alarm in own if alarm.covers(action)), None)


def context(request: HttpRequest) -> dict[str, Any]:
    """Add to every page of the console what it warns of."""
    return {"alarms": Alarms()} if request.user.is_authenticated else {}


def _freezes() -> Any:
    return (
        Freeze.objects.active()
        .order_by()
        .values_list(
            Value("frozen"),
            "pk",
            "pattern",
            "reason",
            "frozen_by_id",
            F("frozen_by__username"),
            "frozen_at",
            Cast(Value(None), IntegerField()),
            Cast(Value(None), CharField()),
            Cast(Value(None), DateTimeField()),
        )
    )


def _glasses() -> Any:
    active = BreakGlass.objects.active(WallClock()).order_by()
    return active.values_list(
        Value("glass"),
        "pk",
        "pattern",
        "reason",
        "person_id",
        F("person__username"),
        "started_at",
        "agent_id",
        F("agent__name"),
        "ends_at",
    )
