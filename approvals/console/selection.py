"""What did a person pick to decide on together, and what of it can be?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from approvals import authority, bulk
from approvals.bulk import NotInBulk
from approvals.console import queue, standing, words
from approvals.console.glance import Glance
from approvals.course import Course
from approvals.models import ApprovalRequest, Vote
from approvals.services.bulk import MOST
from governance import clock
from governance.errors import Refused
from governance.models import User


@dataclass(frozen=True)
class Line:
    """One of the requests, and why it cannot be decided with the others, if so."""

    course: Course
    time_left: words.Label | None
    refusal: Refused | None = None

    @property
    def request(self) -> ApprovalRequest:
        assert self.course.request is not None
        return self.course.request

    @property
    def risk(self) -> words.Risk:
        return words.Risk(self.request.risk)

    @cached_property
    def glance(self) -> Glance:
        return Glance(self.request)


class Selection:
    """What a person picked to decide on together, as it stands at this moment."""

    def __init__(
        self, person: User, verdict: Vote.Verdict, picked: Sequence[UUID]
    ) -> None:
        self.person, self.verdict, self.picked = person, verdict, picked
        self.at = clock.now()

    @cached_property
    def requests(self) -> list[ApprovalRequest]:
        visible = ApprovalRequest.objects.visible_to(self.person)
        found = visible.filter(pk__in=self.picked).select_related("action__agent")
        return list(found.order_by(*queue.MOST_URGENT))

    @property
    def unknown(self) -> int:
        """How many there are not, or not for this person to see."""
        return len(self.picked) - len(self.requests)

    @cached_property
    def lines(self) -> list[Line]:
        courses = standing.courses_of(self.requests, self.at)
        found = [courses[request.pk] for request in self.requests]
        refusals = self._refusals(found)
        return [
            Line(course, words.time_left(course, self.at), refusals.get(position))
            for position, course in enumerate(found)
        ]

    @property
    def fit(self) -> list[Line]:
        return [line for line in self.lines if not line.refusal]

    @property
    def unfit(self) -> list[Line]:
        return [line for line in self.lines if line.refusal]

    def _refusals(self, courses: Sequence[Course]) -> dict[int, Refused]:
        """Return by position what must be decided by itself, or by somebody else."""
        safety = bulk.Safety()
        found = {
            position: refusal
            for position, course in enumerate(courses)
            if (refusal := self._refusal(safety, course))
        }
        fit = [c for n, c in enumerate(courses) if n not in found]
        found |= self._of_other_kinds(
            courses, bulk.kind_of(c.action for c in fit), found
        )
        left = [n for n in range(len(courses)) if n not in found]
        return found | {
            n: NotInBulk(f"{MOST} at once are enough.") for n in left[MOST:]
        }

    def _refusal(self, safety: bulk.Safety, course: Course) -> Refused | None:
        request = course.request
        assert request is not None
        found = authority.standing(course, request, self.person, self.at)
        if found.refusal or self.verdict == Vote.Verdict.REJECT:
            return found.refusal
        return safety.objection(course)

    def _of_other_kinds(
        self, courses: Sequence[Course], kind: str, found: dict[int, Refused]
    ) -> dict[int, Refused]:
        if self.verdict == Vote.Verdict.REJECT:
            return {}
        return {
            n: NotInBulk(bulk.another_kind(course.action, kind))
            for n, course in enumerate(courses)
            if n not in found and course.action.name != kind
        }
