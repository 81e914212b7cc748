"""How is a figure said? Shares and times, short enough for a tile."""

from __future__ import annotations

from datetime import timedelta

from approvals.console import words

NOTHING = "-"


def share(value: float | None, whole: float) -> str:
    """Say a part in percent; of nothing there is none."""
    if not whole:
        return NOTHING
    percent = 100 * (value or 0) / whole
    # Neither none nor all of it: that is what the reader would take 0 and 100 for.
    if 0 < percent < 0.5:
        return "under 1%"
    if 99.5 <= percent < 100:
        return "over 99%"
    return f"{percent:.0f}%"


def took(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    rounded = (
        round(seconds / 60) * 60 if seconds < 86_400 else round(seconds / 3600) * 3600
    )
    return words.span(timedelta(seconds=rounded))
