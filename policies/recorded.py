"""What did agents really ask for, in the order in which they asked?

Actions are read a page at a time by their ids, which sort by the time they were made:
a million of them takes no more memory than a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, DateTimeField, F, Q, Value, When
from django.db.models.functions import Coalesce

from governance.models import (
    COUNTED,
    Action,
    ActionQuerySet,
    Agent,
    Status,
    first_uuid7,
)
from policies.rules import AgentFacts, Facts

PAGE = 2_000
# How far the clock that made an id and the database's may be apart.
_SLACK = timedelta(hours=1)


class Recorded(NamedTuple):
    """An action as it is on record, without what replaying it does not need."""

    pk: UUID
    agent_id: int
    name: str
    params: dict[str, Any]
    resource: dict[str, str] | None
    context: dict[str, Any]
    decision: str
    status: str
    summary: str
    created_at: datetime
    # When lookbacks no longer counted it; null while they do.
    until: datetime | None


# What was blocked never counted: it ended when it began. What expired either got no
# answer, or ran out after one.
_UNTIL = Case(
    When(status__in=sorted(map(str, COUNTED)), then=Value(None)),
    When(status=Status.EXPIRED, then=Coalesce("grant_expires_at", "settled_at")),
    When(status=Status.REJECTED, then=F("settled_at")),
    When(status=Status.CANCELLED, then=F("updated_at")),
    default=F("created_at"),
    output_field=DateTimeField(),
)


def between(since: datetime, until: datetime | None = None) -> ActionQuerySet:
    """Return the actions that were submitted in this time, in order."""
    found = Action.objects.filter(pk__gte=first_uuid7(since - _SLACK))
    found = found.filter(created_at__gte=since).order_by("pk")
    return found.filter(created_at__lt=until) if until else found


def covered_by(patterns: Iterable[str]) -> Q:
    """Return the condition that an action's name matches one of these patterns."""
    found = Q(pk__in=[])
    for pattern in patterns:
        if pattern == "*":
            return Q()
        if pattern.endswith(".*"):
            found |= Q(name__startswith=pattern.removesuffix("*"))
        else:
            found |= Q(name=pattern)
    return found


def pages(
    actions: ActionQuerySet, after: UUID | None = None
) -> Iterator[list[Recorded]]:
    """Yield the actions behind this id, a bounded number at a time."""
    actions = actions.annotate(until=_UNTIL)
    while True:
        behind = actions.filter(pk__gt=after) if after else actions
        rows = behind.values_list(*Recorded._fields)[:PAGE]
        page = [Recorded._make(row) for row in rows]
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1].pk


class Agents:
    """Who asked: an agent's environment and tags as they are today."""

    def __init__(self) -> None:
        self._of = cache(self._read)

    def facts_of(self, action: Recorded) -> Facts:
        return Facts(
            action=action.name,
            params=action.params,
            agent=self._of(action.agent_id),
            now=action.created_at,
            resource=action.resource,
            context=action.context,
        )

    @staticmethod
    def _read(pk: int) -> AgentFacts:
        name, environment, tags = Agent.objects.values_list(
            "name", "environment", "tags"
        ).get(pk=pk)
        return AgentFacts(name, environment, tuple(tags))
