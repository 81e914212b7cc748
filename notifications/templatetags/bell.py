"""What does the bell know when a page is drawn?"""

from __future__ import annotations

from typing import Any

from django.template import Library, RequestContext

from governance.models import User
from notifications import badges

register = Library()


@register.inclusion_tag("notifications/bell.html", takes_context=True)
def bell(context: RequestContext) -> dict[str, Any]:
    """Draw the bell for whoever is logged in."""
    user = context.request.user
    if not isinstance(user, User):
        return {}
    number = badges.unread(context.request)
    return {
        "person": user,
        "unread": number,
        "shown": badges.shown(number),
        "newest": badges.newest(user),
    }
