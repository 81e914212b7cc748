"""What ran without approval is reviewed afterwards: by whom, and with what verdict?"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from approvals.course import Course
from approvals.errors import NotAllowed
from approvals.models import ApprovalRequest, BypassReview
from approvals.services import storage
from governance import clock, people, words
from governance.errors import Invalid, Refused
from governance.ledger import Actor, Kind
from governance.models import User

MAX_COMMENT = 4000


class AlreadyReviewed(Refused):
    code = "already_reviewed"


def open_review(course: Course, at: datetime) -> None:
    """Ask for a review of what is being used, if it came through broken glass.

    Call it in the transaction that consumes the permission.
    """
    request = course.request
    if request and request.broken_glass_id:
        BypassReview.objects.create(request=request, opened_at=at)


@transaction.atomic
def review_bypass(
    review: BypassReview, person: User, verdict: BypassReview.Verdict, comment: str
) -> None:
    """Say whether it was right to let this through. It is said once, with a comment.

    By a member of a group that would have been asked, and neither by whoever broke the
    glass nor by the agent's owner.
    """
    comment = _checked(comment)
    people.lock(person)
    rows = BypassReview.objects.select_for_update(no_key=True, of=("self",))
    review = rows.select_related("request__broken_glass").get(pk=review.pk)
    course = storage.lock(review.request.action_id)
    if why := objection(review, person):
        raise why
    at = clock.now()
    review.verdict, review.comment = verdict, comment
    review.reviewed_by, review.reviewed_at = person, at
    review.save(update_fields=["verdict", "comment", "reviewed_by", "reviewed_at"])
    course.happen(
        Kind.BYPASS_REVIEWED,
        at,
        Actor.person(person),
        verdict=str(verdict),
        comment=comment,
        glass=review.request.broken_glass_id,
    )
    storage.record(course, at)


def objection(review: BypassReview, person: User) -> Refused | None:
    """Return why this person may not review this, None if they may."""
    request = review.request
    glass, owner = request.broken_glass, request.action.agent.owner_id
    assert glass is not None
    if review.verdict:
        assert review.reviewed_at
        when = words.moment(review.reviewed_at)
        return AlreadyReviewed(f"{review.reviewed_by} reviewed it at {when}.")
    if person.pk == glass.person_id:
        return NotAllowed("You broke the glass: somebody else has to review it.")
    if person.pk == owner:
        return NotAllowed("You own this agent: somebody else has to review it.")
    if not _would_have_been_asked(request, person):
        return NotAllowed("None of your groups would have been asked about this.")
    return None


def _would_have_been_asked(request: ApprovalRequest, person: User) -> bool:
    active = User.objects.filter(pk=person.pk, is_active=True)
    return active.filter(groups__in=request.asked.all()).exists()


def _checked(comment: str) -> str:
    comment = comment.strip()
    if not comment:
        raise Invalid("Say in a sentence how you came to this.", code="reason_required")
    if len(comment) > MAX_COMMENT:
        raise Invalid(f"Keep it under {MAX_COMMENT} characters.", code="too_long")
    return comment
