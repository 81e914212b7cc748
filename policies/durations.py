"""How long is "4h"? Durations as policy files write them, and back."""

from __future__ import annotations

import re
from datetime import timedelta

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

# No policy waits longer, and every date computed from one stays within the calendar.
LONGEST = timedelta(days=3650)

FORM = re.compile(r"([0-9]{1,9})([smhd])")


def parse(text: str) -> timedelta:
    """Read ``30s``, ``15m``, ``4h`` or ``30d``. Raise ValueError with a sentence.

    One number and one unit, as the policy file format has it: ``90m``, not ``1h30m``.
    """
    found = FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is not a duration: write 30s, 15m, 4h or 30d.")
    duration = timedelta(seconds=int(found[1]) * UNITS[found[2]])
    if not duration:
        raise ValueError(f"{text!r} is no time at all: a duration is at least 1s.")
    if duration > LONGEST:
        raise ValueError(f"{text!r} is too long: at most {LONGEST.days}d.")
    return duration


def text(duration: timedelta) -> str:
    """Write a duration in the largest unit that fits without a remainder."""
    seconds = int(duration.total_seconds())
    unit = next(u for u in "dhms" if seconds % UNITS[u] == 0)
    return f"{seconds // UNITS[unit]}{unit}"
