"""How many notifications has this person not read yet? For the sidebar."""

from __future__ import annotations

from django.http import HttpRequest

from governance.models import User
from notifications.models import Delivery

# Nobody needs to know it more exactly than that.
MANY = 1000


def unread(request: HttpRequest) -> int:
    """Return the number to show; at nought, nothing is shown."""
    if not isinstance(request.user, User):
        return 0
    return Delivery.objects.unread(request.user).order_by()[:MANY].count()
