"""Can this be decided from a message alone? If not: why not, in a sentence.

A message shows everything as plain text, and nothing beside it. Where the console would
warn, or has something to show that the message has not, it is decided in the console.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from approvals.console import facts
from approvals.console.facts import Fact
from approvals.models import ApprovalRequest, Vote


def obstacle(request: ApprovalRequest) -> str:
    """Return why this has to be decided on its own page, empty if it has not."""
    return next(_obstacles(request), "")


def _obstacles(request: ApprovalRequest) -> Iterator[str]:
    if not request.evaluated:
        yield "Some rules could not be evaluated for it."
    if request.drift:
        yield "The rules have changed, and would judge it differently by now."
    votes = Vote.objects.filter(request=request, verdict=Vote.Verdict.REJECT)
    if votes.exists():
        yield "Somebody has rejected it."
    # Last: it reads all of them.
    found = chain(_facts(request.params), _facts(request.resource))
    if any(map(_may_deceive, found)):
        yield "Something in it may not be what it seems."


def _facts(value: object) -> Iterator[Fact]:
    yield from facts.flatten(value) if value else ()


def _may_deceive(fact: Fact) -> bool:
    """Whether the console warns of it. That a text is long is no warning here."""
    length = f"{len(fact.text):,} characters, all of them shown."
    return any(note != length for note in fact.notes)
