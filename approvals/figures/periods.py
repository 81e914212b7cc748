"""Which stretch of time do figures cover? Whole days of the console's time zone.

Pure, but for the time zone, which is a setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from django.utils import timezone

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# How many days of the longest period are whole days before today.
MOST_DAYS = 90


@dataclass(frozen=True, slots=True)
class Slot:
    """One bar of a chart: from one moment to another, and what it is called."""

    start: datetime
    end: datetime
    title: str


@dataclass(frozen=True, slots=True)
class Period:
    name: str
    title: str
    days: int
    # How many days one bar of a chart covers; 0 is an hour each.
    step: int = 1

    def first_day(self, at: datetime) -> date:
        return today(at) - (self.days - 1) * DAY

    def slots(self, at: datetime) -> list[Slot]:
        """Return its bars, up to the end of the day that ``at`` is on."""
        first, end = self.first_day(at), today(at) + DAY
        if not self.step:
            return list(_hours(midnight(first), midnight(end)))
        starts = [end - n * DAY for n in range(self.days, 0, -self.step)]
        return [_days(max(s, first), min(s + self.step * DAY, end)) for s in starts]


PERIODS = (
    Period("today", "Today", 1, step=0),
    Period("7", "7 days", 7),
    Period("30", "30 days", 30),
    Period("90", "90 days", MOST_DAYS, step=7),
)
USUAL = PERIODS[2]


def period_of(name: str | None) -> Period:
    """Return the period that is asked for; what nobody knows is the usual one."""
    return next((each for each in PERIODS if each.name == name), USUAL)


def today(at: datetime) -> date:
    return timezone.localtime(at).date()


def midnight(day: date) -> datetime:
    """Return when a day begins in the console's time zone."""
    return timezone.make_aware(datetime.combine(day, time()))


def days_before(at: datetime, days: int = MOST_DAYS) -> list[tuple[datetime, datetime]]:
    """Return the whole days before the one that ``at`` is on, the latest first."""
    edges = [midnight(today(at) - n * DAY) for n in range(days + 1)]
    return [(start, end) for end, start in pairwise(edges)]


def days_of(slots: Sequence[Slot]) -> list[tuple[datetime, datetime]]:
    """Return the days, or the hours, that these slots are made of, the earliest first."""
    edges = [slots[0].start]
    while edges[-1] < slots[-1].end:
        edges.append(_next(edges[-1], slots))
    return list(pairwise(edges))


def _next(at: datetime, slots: Sequence[Slot]) -> datetime:
    following = midnight(today(at) + DAY)
    return min(following, *(slot.end for slot in slots if slot.end > at))


def _hours(start: datetime, end: datetime) -> Iterator[Slot]:
    """Yield the hours of a day, of which there may be 23 or 25."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    while start < end:
        local = timezone.localtime(start)
        yield Slot(start, min(start + HOUR, end), f"{local:%H:%M}")
        start += HOUR


def _days(first: date, end: date) -> Slot:
    return Slot(midnight(first), midnight(end), f"{first:%b} {first.day}")
