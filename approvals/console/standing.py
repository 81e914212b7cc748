"""Where do these requests stand at this moment? Read in few queries, saved by nobody.

What silence has decided is seen at once, even if no worker is running.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from approvals.course import Course
from approvals.models import ApprovalRequest
from approvals.services import storage
from governance.models import Action


def courses_of(requests: Iterable[ApprovalRequest], at: datetime) -> dict[UUID, Course]:
    """Return the course of each request by its key, in as many queries as for one."""
    action_of = {request.pk: request.action_id for request in requests}
    actions = Action.objects.filter(pk__in=set(action_of.values()))
    found: dict[UUID, Course] = {}
    for current in storage.courses(actions.select_related("agent__owner")):
        for course in [current, *_former(current)]:
            if course.request and course.request.pk in action_of:
                found[course.request.pk] = course
        current.lapse(at)
    return found


def _former(current: Course) -> list[Course]:
    """Return what people were asked about earlier revisions of the same action."""
    requests: list[ApprovalRequest] = current.action.revisions  # type: ignore[attr-defined]
    return [
        Course(
            current.action,
            request,
            list(request.stages.all()),
            list(request.votes.all()),
        )
        for request in requests
        if request != current.request
    ]
