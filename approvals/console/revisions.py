"""What changed since the version before? Who wanted it, and did the agent follow?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from approvals.console import facts
from approvals.console.facts import Fact, Path
from approvals.models import ApprovalRequest, Vote
from governance import canonical
from governance.models import Action, Status

Outcome = ApprovalRequest.Outcome


@dataclass(frozen=True, slots=True)
class Difference:
    """One value on both sides. The side that has none is None."""

    before: Fact | None
    after: Fact | None

    @property
    def fact(self) -> Fact:
        found = self.after or self.before
        assert found
        return found

    @property
    def kind(self) -> str:
        if self.before is None:
            return "added"
        return "changed" if self.after else "removed"


def differences(before: Any, after: Any, path: Path = ()) -> list[Difference]:
    """Return every value that is not the same on both sides, in the order of names."""
    old, new = _by_path(before, path), _by_path(after, path)
    return [
        Difference(old.get(where), new.get(where))
        for where in sorted({*old, *new}, key=_order)
        if _plain(old.get(where)) != _plain(new.get(where))
    ]


def _by_path(value: Any, path: Path) -> dict[Path, Fact]:
    if value is None or value == {}:
        return {}
    return {fact.path: fact for fact in facts.flatten(value, path)}


def _plain(fact: Fact | None) -> tuple[str, str] | None:
    return (fact.kind, fact.text) if fact else None


def _order(path: Path) -> list[tuple[int, str]]:
    """Names as in the digest, and positions as numbers."""
    return [(s, "") if isinstance(s, int) else (0, s) for s in path]


class Comparison:
    """One revision beside the one before it. ``by`` is who made the later one."""

    def __init__(
        self, former: ApprovalRequest, request: ApprovalRequest, by: str
    ) -> None:
        self.former, self.request, self.by = former, request, by

    @property
    def is_judged_again(self) -> bool:
        """Whether it was not the agent that made a new one of it."""
        return self.former.outcome == Outcome.SUPERSEDED

    @cached_property
    def params(self) -> list[Difference]:
        return differences(self.former.params, self.request.params)

    @cached_property
    def resource(self) -> list[Difference]:
        return differences(self.former.resource, self.request.resource)

    @cached_property
    def says(self) -> list[Difference]:
        """What the agent says differently: its reason, and its facts."""
        reasons = self.former.reason or None, self.request.reason or None
        contexts = self.former.context, self.request.context
        return [
            *differences(*reasons, path=("reason",)),
            *differences(*contexts, path=("context",)),
        ]

    @property
    def is_the_same(self) -> bool:
        return not (self.params or self.resource or self.says)

    @cached_property
    def wanted(self) -> Vote | None:
        """The request for changes that this revision answers."""
        asking = self.former.votes.filter(verdict=Vote.Verdict.REQUEST_CHANGES)
        return asking.order_by("-id").first()

    @property
    def is_what_was_proposed(self) -> bool:
        proposed = self.wanted and self.wanted.proposed_params
        return proposed is not None and _alike(proposed, self.request.params)

    @cached_property
    def departures(self) -> list[Difference]:
        """Where the agent sent something else than the reviewer proposed."""
        proposed = self.wanted and self.wanted.proposed_params
        if proposed is None:
            return []
        return differences(proposed, self.request.params)


def _alike(one: Any, other: Any) -> bool:
    return canonical.canonical_bytes(one) == canonical.canonical_bytes(other)


class Succession:
    """What came after a revision that is no longer the current one."""

    def __init__(
        self,
        request: ApprovalRequest,
        action: Action,
        revisions: Sequence[ApprovalRequest],
    ) -> None:
        self.request, self.action, self.revisions = request, action, revisions

    @property
    def latest(self) -> ApprovalRequest | None:
        """The request to look at instead. None: nobody was asked any more."""
        last = self.revisions[-1] if self.revisions else None
        return last if last and last.revision > self.request.revision else None

    @property
    def sentence(self) -> str:
        if self.request.outcome == Outcome.SUPERSEDED:
            how = "It was judged again by the rules of then"
        else:
            how = "The agent has sent a changed version since"
        if self.latest:
            return f"{how}."
        status = Status(self.action.status).label.lower()
        return f"{how}. Nobody was asked any more: it is {status}."
