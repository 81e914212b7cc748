"""What of a request can be read on one line among others, and is that all of it?

Nobody approves what was not shown: what a line cannot hold, or what may deceive the eye,
is read by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice

from approvals.console import facts
from approvals.console.facts import Fact
from approvals.models import ApprovalRequest

# What of the parameters fits on a line; the rest is on the request's own page.
MOST_FACTS = 8
LONGEST = 160


class Glance:
    """The parameters of one request in short, each with its text."""

    def __init__(self, request: ApprovalRequest) -> None:
        self.request = request

    @cached_property
    def _all(self) -> list[Fact]:
        return list(self._facts())

    def _facts(self) -> Iterator[Fact]:
        yield from facts.flatten(self.request.params) if self.request.params else ()

    @property
    def facts(self) -> list[tuple[Fact, str]]:
        return [(fact, _short(fact.text)) for fact in self._all[:MOST_FACTS]]

    @property
    def left_out(self) -> int:
        return max(0, len(self._all) - MOST_FACTS)

    def doubt(self) -> str:
        """Return why a line is not enough to approve it, empty if it is."""
        found = list(islice(self._facts(), MOST_FACTS + 1))
        if len(found) > MOST_FACTS or any(map(_is_long, found)):
            return "It must be read by itself: its parameters do not fit on a line."
        found += facts.flatten(self.request.resource) if self.request.resource else []
        if any(map(_is_long, found)):
            return "It must be read by itself: its resource does not fit on a line."
        if any(fact.notes for fact in found):
            return (
                "It must be read by itself: something in it may not be what it seems."
            )
        return ""


def _is_long(fact: Fact) -> bool:
    name = "".join(map(str, fact.path))
    return len(fact.text) > LONGEST or len(name) > LONGEST


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
