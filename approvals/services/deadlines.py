"""What does the clock owe an action? Makes visible what silence has decided."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from approvals.course import Course
from approvals.services import storage
from governance import clock


def settle(pk: UUID) -> Course:
    """Save everything that silence has decided about this action so far.

    Safe to call at any time, twice, and from two processes at once.
    """
    with transaction.atomic():
        course = storage.lock(pk)
        before = course.action.status
        at = clock.now()
        course.lapse(at)
        if course.happenings:
            storage.save(course, at=at, before=before)
    return course
