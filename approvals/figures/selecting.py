"""Which requests, and which votes, does a figure speak of? Said once.

What counts them and what lists the rows behind a number both select by these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform, KeyTransform

from approvals.models import (
    ApprovalRequest,
    ApprovalRequestQuerySet,
    Vote,
    oldest_open,
)

Outcome = ApprovalRequest.Outcome
PEOPLE, SILENCE, GLASS, WITHDRAWN = "people", "silence", "glass", "withdrawn"
# What comes of a verdict that nobody contradicts.
AGREED = {
    Vote.Verdict.APPROVE: Outcome.APPROVED,
    Vote.Verdict.REJECT: Outcome.REJECTED,
    Vote.Verdict.REQUEST_CHANGES: Outcome.CHANGES_REQUESTED,
}
LONGEST_SCOPE = 64


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose requests: those that these groups were asked about, or None for all."""

    groups: frozenset[int] | None = None

    @property
    def key(self) -> str:
        """Name it, short enough to be indexed. Everything is the empty name."""
        if self.groups is None:
            return ""
        name = ",".join(map(str, sorted(self.groups))) or "-"
        return name if len(name) <= LONGEST_SCOPE else sha256(name.encode()).hexdigest()

    def of(self, request: str = "pk") -> Q:
        """Select by the request whose key is at ``request``."""
        if self.groups is None:
            return Q()
        return Q(Exists(self._asked(request)))

    def open(self) -> ApprovalRequestQuerySet:
        """Return what waits, without going through whom anybody asked in years."""
        requests = ApprovalRequest.objects.open()
        if self.groups is None:
            return requests
        recent = self._asked("pk").filter(approvalrequest__gte=oldest_open())
        return requests.filter(Exists(recent))

    def _asked(self, request: str) -> QuerySet[Any]:
        asked = ApprovalRequest.asked.through.objects
        found: QuerySet[Any] = asked.filter(
            approvalrequest=OuterRef(request), group__in=self.groups or ()
        )
        return found


EVERYTHING = Scope()


def settled(start: datetime, end: datetime, request: str = "") -> Q:
    """Select what was settled in this time. The index ``request_closed`` finds it."""
    name = f"{request}closed_at"
    return Q(**{f"{name}__gte": start, f"{name}__lt": end})


def how() -> Case:
    """Say how a request was settled: by people, silence, broken glass, or withdrawn."""
    silent = Vote.objects.filter(request=OuterRef("pk"), person=None, via="system")
    return Case(
        When(broken_glass__isnull=False, then=Value(GLASS)),
        When(outcome=Outcome.EXPIRED, then=Value(SILENCE)),
        When(
            outcome__in=[Outcome.CANCELLED, Outcome.SUPERSEDED], then=Value(WITHDRAWN)
        ),
        When(Q(outcome=Outcome.APPROVED) & Exists(silent), then=Value(SILENCE)),
        default=Value(PEOPLE),
        output_field=CharField(),
    )


def policy() -> Combinable:
    """Name the policy that asked: of several the strictest, and of those the first."""
    first = KeyTransform("0", "action__reasons")
    return KeyTextTransform("policy", first)


def timed(stages: Any) -> Any:
    """Stages that had an SLA to keep, and were neither withdrawn nor waived."""
    kept = ExpressionWrapper(Q(sla_at__isnull=False), output_field=BooleanField())
    return (
        stages.filter(sla__isnull=False, opened_at__isnull=False)
        .exclude(request__outcome__in=[Outcome.CANCELLED, Outcome.SUPERSEDED])
        .exclude(request__broken_glass__isnull=False)
        .annotate(kept=kept)
    )


def deciding(votes: QuerySet[Vote]) -> QuerySet[Vote]:
    """People's votes that closed their stage: with them the team had decided."""
    return votes.filter(person__isnull=False, at=F("stage__closed_at"))


def differing() -> Q:
    """Select votes after which others, or what came of it, said something else."""
    other = Vote.objects.filter(request=OuterRef("request"), person__isnull=False)
    contradicted = Exists(other.exclude(verdict=OuterRef("verdict")))
    overruled = Q()
    for verdict, outcome in AGREED.items():
        others = [str(each) for each in AGREED.values() if each != outcome]
        overruled |= Q(verdict=verdict, request__outcome__in=others)
    return overruled | Q(contradicted)
