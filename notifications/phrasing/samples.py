"""Which request shows what a message looks like?"""

from __future__ import annotations

from approvals.models import ApprovalRequest
from governance.ledger import Kind
from governance.models import Event
from notifications.outbox import request_of
from notifications.topics import OF_KIND, Topic
from policies import patterns

# So many of the latest events are looked through for one that fits.
MOST = 200


def sample(pattern: str, topic: Topic) -> tuple[Event, ApprovalRequest] | None:
    """Return what such a message would be about: the latest that really happened.

    Where nothing of the topic has happened yet, a request for a decision stands in.
    """
    kinds = [kind for kind, about in OF_KIND.items() if about == topic]
    return _latest(kinds, pattern) or _latest([Kind.STAGE_OPENED], pattern)


def _latest(kinds: list[Kind], pattern: str) -> tuple[Event, ApprovalRequest] | None:
    events = Event.objects.filter(kind__in=kinds).order_by("-pk")
    for event in events[:MOST]:
        request = request_of(event)
        if request and patterns.matches(pattern, request.action.name):
            return event, request
    return None
