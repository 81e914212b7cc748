"""What do templates ask about stop buttons and broken glass?"""

from __future__ import annotations

from django.template import Library

from approvals.console.alarms import Alarm, Alarms
from approvals.console.review import Review
from governance.models import WITHDRAWABLE, Action

register = Library()


@register.filter
def freezing(alarms: Alarms, action: Action) -> Alarm | None:
    """Return what stops this action, if it could still go ahead and anything does."""
    return alarms.freezing(action) if action.status in WITHDRAWABLE else None


@register.filter
def releasing(alarms: Alarms, review: Review) -> Alarm | None:
    """Return the glass by which the one who looks could let this through."""
    if not review.is_open or alarms.freezing(review.action):
        return None
    return alarms.glass_of(review.person, review.course)
