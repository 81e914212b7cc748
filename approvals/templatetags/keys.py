"""What do templates ask about going from one request to the next?"""

from __future__ import annotations

from django.template import Library

from approvals.console import neighbours
from approvals.console.neighbours import Neighbours
from approvals.console.review import Review

register = Library()


@register.filter(name="neighbours")
def neighbours_of(review: Review) -> Neighbours:
    """Return what comes before and after it in the queue of the one who looks."""
    return neighbours.of(review.request, review.person)
