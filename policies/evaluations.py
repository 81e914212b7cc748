"""How was this action judged, each time it was? Read from the record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from governance.ledger import Kind
from governance.models import Action, Event
from policies import explanation

KINDS = (Kind.SUBMITTED, Kind.REVISED, Kind.JUDGED_AGAIN)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One time the rules were asked, with what they were asked about."""

    revision: int
    at: datetime
    rules: int
    data: dict[str, Any]
    explained: explanation.Explanation


def of(action: Action) -> Iterator[Evaluation]:
    """Yield every evaluation of an action, oldest first: one for each revision."""
    for event in Event.objects.about(action).filter(kind__in=KINDS):
        if found := read(event):
            yield found


def read(event: Event) -> Evaluation | None:
    """Return what an event says of an evaluation; nothing if it says nothing."""
    body = json.loads(event.body)
    data = body["data"]
    if not data.get("trace"):
        return None
    return Evaluation(
        body["action"]["revision"],
        event.at,
        data["trace"]["revision"],
        data,
        explanation.explain(body["action"]["name"], data),
    )
