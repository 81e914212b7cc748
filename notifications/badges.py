"""How many notifications has this person not read yet? For the sidebar and the bell."""

from __future__ import annotations

from django.http import HttpRequest

from governance.models import User
from notifications.models import Delivery

# Nobody needs to know it more exactly than that.
MANY = 1000
_KNOWN = "_countersign_unread"


def unread(request: HttpRequest) -> int:
    """Return the number to show, counted once a page; at nought, nothing is shown."""
    if not isinstance(request.user, User):
        return 0
    known: int | None = getattr(request, _KNOWN, None)
    if known is None:
        known = count(request.user)
        setattr(request, _KNOWN, known)
    return known


def count(person: User) -> int:
    return Delivery.objects.unread(person).order_by()[:MANY].count()


def newest(person: User) -> int:
    """Return the key of what they were told last, 0 if they never were."""
    rows = Delivery.objects.in_app(person).order_by("-pk")
    return rows.values_list("pk", flat=True).first() or 0


def shown(number: int) -> str:
    return f"{MANY - 1}+" if number >= MANY else str(number or "")
