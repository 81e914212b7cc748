"""What was asked before for the same customer, order or account, and what came of it?"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Prefetch, Q

from approvals.console.words import STATUSES, VERDICTS, Label, listed
from approvals.models import Vote
from governance.models import Action, Status
from policies.models import LookbackEntry

MOST = 10
# How far back the same resource is looked for: this has no index of its own.
RECENT = 2_000


@dataclass(frozen=True, slots=True)
class Earlier:
    """One earlier action, and what people said to it."""

    action: Action
    status: Label
    decided: str


def shared_by(action: Action) -> list[tuple[str, str]]:
    """Return what the earlier actions have in common with this one: name and value."""
    keys = LookbackEntry.objects.filter(action=action).select_related("lookback")
    found = {(entry.lookback.key.split(".")[-1], entry.key) for entry in keys}
    if action.resource:
        found.add((action.resource["type"], action.resource["id"]))
    return sorted(found)


def before(action: Action) -> list[Earlier]:
    """Return the latest earlier actions of the same customer or on the same resource."""
    wanted = {*_looked_back_at(action), *_on_the_same_resource(action)}
    found = Action.objects.filter(pk__in=wanted, pk__lt=action.pk).order_by("-pk")
    votes = Prefetch("requests__votes", Vote.objects.order_by("id"))
    return [_told(each) for each in found.prefetch_related(votes)[:MOST]]


def _looked_back_at(action: Action) -> list[UUID]:
    """Return the keys of what any lookback counts together with this action."""
    own = LookbackEntry.objects.filter(action=action).values_list("lookback", "key")
    same = Q(pk=None)
    for lookback, key in own:
        same |= Q(lookback=lookback, key=key)
    entries = LookbackEntry.objects.filter(same).exclude(action=action)
    return list(entries.order_by("-at").values_list("action", flat=True)[: 2 * MOST])


def _on_the_same_resource(action: Action) -> list[UUID]:
    if not action.resource:
        return []
    recent = Action.objects.filter(pk__lt=action.pk).order_by("-pk").values("pk")
    same = Action.objects.filter(
        pk__in=recent[:RECENT],
        resource__type=action.resource["type"],
        resource__id=action.resource["id"],
    )
    return list(same.order_by("-pk").values_list("pk", flat=True)[:MOST])


def _told(action: Action) -> Earlier:
    votes = [vote for request in action.requests.all() for vote in request.votes.all()]
    said = [f"{vote.by} {VERDICTS[Vote.Verdict(vote.verdict)].text}" for vote in votes]
    return Earlier(action, STATUSES[Status(action.status)], listed(said))
