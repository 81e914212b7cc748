"""Which moment does an address name? In the time zone of the console."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, time, timedelta

from django.utils import timezone


def moment(text: str | None, *, end: bool = False) -> datetime | None:
    """Read ``2026-11-22``, ``2026-11-22T14:00`` or RFC 3339; None if it is neither."""
    text = (text or "").strip()
    with suppress(ValueError, OverflowError):
        if len(text) == len("2026-11-22"):
            at = datetime.combine(datetime.fromisoformat(text), time())
            at += timedelta(days=end)
        else:
            at = datetime.fromisoformat(text)
        # Room for the time zone.
        if 1 < at.year < 9999:
            return timezone.make_aware(at) if timezone.is_naive(at) else at
    return None
