"""What may be approved together with others, without opening each of them?

The service asks under its locks, the page before it offers anything: the same rules in
the same words. Rejecting needs no such rules: it lets nothing happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from approvals import stops
from approvals.console.glance import Glance
from approvals.course import Course
from approvals.models import ApprovalRequest, Vote
from governance import clock, locks, risk
from governance.errors import Refused
from governance.models import Action
from policies.models import RuleSet

LOW = risk.BANDS["low"]


class NotInBulk(Refused):
    code = "not_in_bulk"


class Safety:
    """Asks about one request after another. What holds for all of them is read once."""

    def __init__(self) -> None:
        rows = RuleSet.objects.values_list("revision", flat=True)
        self.revision: int = rows.filter(pk=1).first() or 0
        self._freeze_over = cache(stops.freeze_over)

    def objection(self, course: Course) -> Refused | None:
        """Return why this must be opened and decided by itself, if it must."""
        if frozen := self._freeze_over(course.action.name):
            return stops.Frozen(stops.explain(frozen, clock.now()))
        doubt = next(self._doubts(course), None)
        return NotInBulk(doubt) if doubt else None

    def _doubts(self, course: Course) -> Iterator[str]:
        request = course.request
        assert request is not None
        if not course.action.reversible:
            yield "It cannot be undone."
        if request.risk not in LOW:
            yield f"Its risk is not low: {request.risk} points, {LOW.stop} are too many."
        if len(course.stages) > 1 or course.stages[0].needed > 1:
            yield "It takes more than one person."
        if any(course.rejections(stage) for stage in course.stages):
            yield "Somebody has rejected it."
        if not request.evaluated:
            yield "Some rules could not be evaluated for it."
        yield from self._drift(request)
        # Last: it reads all of it.
        if doubt := Glance(request).doubt():
            yield doubt

    def _drift(self, request: ApprovalRequest) -> Iterator[str]:
        """Whether the rules of now would say the same; what nobody knows is no yes."""
        if request.drift:
            yield "The rules have changed, and would judge it differently by now."
        elif request.rules_revision < self.revision and not self._is_compared(request):
            yield (
                "The rules have changed, and it has not been compared with them yet. "
                "Try again in a moment."
            )

    def _is_compared(self, request: ApprovalRequest) -> bool:
        return request.drift == {} and request.drift_revision == self.revision


@dataclass(frozen=True, slots=True)
class Batch:
    """Of what a verdict is one of several. ``kind`` is the action all of them name."""

    kind: str = ""

    def hold(self) -> None:
        """Keep the rules and the stop buttons as they are until the commit."""
        locks.shared(locks.RULES)

    def check(self, course: Course, verdict: Vote.Verdict) -> None:
        """Refuse what must be decided by itself."""
        if verdict == Vote.Verdict.REJECT:
            return
        if verdict != Vote.Verdict.APPROVE:
            raise NotInBulk(
                "Ask for changes one by one: each agent reads what to change."
            )
        if course.action.name != self.kind:
            raise NotInBulk(another_kind(course.action, self.kind))
        if refusal := Safety().objection(course):
            raise refusal


def kind_of(actions: Iterable[Action]) -> str:
    """Return the kind most of them are; of several the one that comes first."""
    most = Counter(action.name for action in actions).most_common(1)
    return most[0][0] if most else ""


def another_kind(action: Action, kind: str) -> str:
    return f"It is another kind of action: {action.name}, not {kind}."
