"""Which requests have these words in them?"""

from __future__ import annotations

import json
from uuid import UUID

from django.db.models import Q

from approvals.models import ApprovalRequestQuerySet


def search(rows: ApprovalRequestQuerySet, text: str) -> ApprovalRequestQuerySet:
    """Find requests by every word: in ids, the line that matters, parameters, agent."""
    for word in text.split():
        # As SQLite stores letters beyond ASCII: spelled out.
        stored = json.dumps(word)[1:-1]
        found = (
            Q(summary__icontains=word)
            | Q(params__icontains=word)
            | Q(params__icontains=stored)
            | Q(action__agent__name__icontains=word)
            | Q(action__name__icontains=word)
        )
        if pk := _uuid(word):
            found |= Q(pk=pk) | Q(action=pk)
        rows = rows.filter(found)
    return rows


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
