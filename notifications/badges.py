"""How many notifications has this person not read yet? For the sidebar."""

from __future__ import annotations

from django.http import HttpRequest

from governance.models import User
from notifications.models import Delivery

MANY = 99


def unread(request: HttpRequest) -> str:
    """Return the number to show, or nothing when there is nothing to read."""
    if not isinstance(request.user, User):
        return ""
    found = Delivery.objects.unread(request.user).order_by()[: MANY + 1].count()
    return f"{MANY}+" if found > MANY else str(found or "")
