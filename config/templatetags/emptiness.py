"""What does the page of an empty list say?"""

from __future__ import annotations

from typing import Any

from django.template import Library, RequestContext

from config import emptiness
from governance.models import User

register = Library()


@register.simple_tag(takes_context=True)
def what_next(context: RequestContext, cl: Any) -> emptiness.Hint:
    """Return what to say of this list: that it is empty, or only filtered so."""
    if cl.query or cl.has_active_filters:
        return emptiness.FILTERED
    assert isinstance(context.request.user, User)
    return emptiness.hint(cl.opts.label_lower, context.request.user)
