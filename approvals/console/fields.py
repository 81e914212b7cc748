"""What can a person choose to narrow a list, and what have they chosen?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import CharField, Q, QuerySet, Value

from approvals.console.filters import FILTERS, Choice
from governance.models import ActionType, Agent
from policies.models import FlowStage

# How much of each sort there is to choose from; what is chosen is always there.
MOST = 200
Options = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Field:
    """A filter with its options, the one that is chosen, and the list without it."""

    name: str
    title: str
    options: Options
    chosen: str
    without: str

    @property
    def label(self) -> str:
        return dict(self.options).get(self.chosen, self.chosen)


def fields(choice: Choice) -> list[Field]:
    """Return every filter that is offered or asked for, in one query."""
    stored = _stored()
    found = []
    for each in FILTERS:
        chosen = choice.wanted.get(each.name, "")
        if each.only_asked and not chosen:
            continue
        offered = each.options or stored.get(each.name, ())
        options = _with(chosen, offered, each.say(chosen))
        without = choice.without(each.name)
        found.append(Field(each.name, each.title, options, chosen, without))
    return found


def _stored() -> dict[str, Options]:
    sorts: dict[str, QuerySet[Any]] = {
        "agent": Agent.objects.all(),
        "action": ActionType.objects.all(),
        "group": Group.objects.filter(_asked()),
    }
    first, *others = [
        rows.order_by().values_list(Value(sort, CharField()), "name")
        for sort, rows in sorts.items()
    ]
    found: dict[str, Options] = {sort: [] for sort in sorts}
    for sort, name in sorted(first.union(*others, all=True)):
        if len(found[sort]) < MOST:
            found[sort].append((name, name))
    return found


def _asked() -> Q:
    """Select groups that a flow names, at once or on silence."""
    first = FlowStage.groups.through.objects.values("group")
    later = FlowStage.escalate_to.through.objects.values("group")
    return Q(pk__in=first) | Q(pk__in=later)


def _with(chosen: str, options: Iterable[tuple[str, str]], said: str) -> Options:
    known = dict(options)
    if chosen and chosen not in known:
        known[chosen] = said
    return list(known.items())
