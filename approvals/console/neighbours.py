"""Which request of my queue comes after this one, and which before?"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Q

from approvals.console import queue
from approvals.models import ApprovalRequest
from governance.models import Action, User

LEAST_URGENT = (F("action__deadline_at").desc(nulls_first=True), "-pk")


@dataclass(frozen=True, slots=True)
class Neighbours:
    before: UUID | None
    after: UUID | None


def of(request: ApprovalRequest, person: User) -> Neighbours:
    """Return both, from where this one stands, or stood, in the queue.

    What is closed has no place there any more: the most urgent comes after it.
    """
    waiting = ApprovalRequest.objects.waiting_for(person).exclude(pk=request.pk)
    keys = waiting.values_list("pk", flat=True)
    urgent = keys.order_by(*queue.MOST_URGENT)
    if request.closed_at:
        return Neighbours(None, urgent.first())
    earlier, later = _sides(request)
    return Neighbours(
        keys.filter(earlier).order_by(*LEAST_URGENT).first(),
        urgent.filter(later).first(),
    )


def _sides(request: ApprovalRequest) -> tuple[Q, Q]:
    """Select what is more urgent, and what is less: by deadline, none last, then key."""
    rows = Action.objects.filter(pk=request.action_id)
    end = rows.values_list("deadline_at", flat=True).first()
    same = Q(action__deadline_at=end)
    earlier, later = same & Q(pk__lt=request.pk), same & Q(pk__gt=request.pk)
    if end is None:
        return earlier | Q(action__deadline_at__isnull=False), later
    later |= Q(action__deadline_at__gt=end) | Q(action__deadline_at=None)
    return earlier | Q(action__deadline_at__lt=end), later
