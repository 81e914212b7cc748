"""Where are the rows behind a number? Addresses of lists, narrowed to exactly these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from approvals.figures.periods import DAY, Slot, midnight, today
from governance.models import User

QUEUE = "admin:approvals_approvalrequest_changelist"
ACTIONS = "admin:governance_action_changelist"
# Of what is visible, what one's own groups were asked.
ASKED, OWN = "asked", "mine"
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Links:
    """The lists that one person may open.

    ``narrow`` leaves out what they see for another reason than that their groups were
    asked, as the figures do: what they voted on before, and for whom they stand in.
    """

    user: User
    narrow: bool = False

    def requests(self, **wanted: str) -> str:
        return self._queue(show="all", **wanted)

    def overdue(self) -> str:
        return self._queue(show="overdue")

    def _queue(self, **wanted: str) -> str:
        asked = {ASKED: OWN} if self.narrow else {}
        return f"{reverse(QUEUE)}?{urlencode({**wanted, **asked})}"

    def settled(self, slot: Slot, **wanted: str) -> str:
        return self.requests(settled=span(slot), **wanted)

    def actions(self, slot: Slot, **wanted: str) -> str:
        """Return the list of actions, or nothing for those who may not open it."""
        if not self.user.has_perm("governance.view_action"):
            return ""
        first, last = span(slot).split("..")
        period = {"created_at_from": first, "created_at_to": last}
        return f"{reverse(ACTIONS)}?{urlencode({**period, **wanted})}"


def span(slot: Slot) -> str:
    """Return a slot as an address has it: ``2026-11-01..2026-11-30`` for whole days."""
    first, last = today(slot.start), today(slot.end - _INSTANT)
    if (slot.start, slot.end) == (midnight(first), midnight(last + DAY)):
        return f"{first}..{last}"
    start, end = map(timezone.localtime, (slot.start, slot.end))
    return f"{start.isoformat()}..{end.isoformat()}"
