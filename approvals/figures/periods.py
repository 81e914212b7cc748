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
# The longest period, today among it.
MOST_DAYS = 90
Stretch = tuple[datetime, datetime]


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


def over(at: datetime) -> list[Stretch]:
    """Return what is counted once and kept: today's hours so far, and the days before.

    The latest first.
    """
    midnights = [midnight(today(at) - n * DAY) for n in range(MOST_DAYS)]
    days = [(start, end) for end, start in pairwise(midnights)]
    hours = [(hour.start, hour.end) for hour in _hours(midnights[0], at)]
    whole = [each for each in hours if each[1] - each[0] == HOUR]
    return [*reversed(whole), *days]


def stretches_of(slots: Sequence[Slot]) -> list[Stretch]:
    """Return the days, and on the last one the hours, that slots are made of."""
    last = midnight(today(slots[-1].end) - DAY)
    edges = [slots[0].start]
    while edges[-1] < last:
        edges.append(midnight(today(edges[-1]) + DAY))
    hours = [(hour.start, hour.end) for hour in _hours(last, slots[-1].end)]
    return [*pairwise(edges), *hours]


def _hours(start: datetime, end: datetime) -> Iterator[Slot]:
    """Yield the hours of a day, of which there may be 23 or 25."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    while start < end:
        local = timezone.localtime(start)
        yield Slot(start, min(start + HOUR, end), f"{local:%H:%M}")
        start += HOUR


def _days(first: date, end: date) -> Slot:
    return Slot(midnight(first), midnight(end), f"{first:%b} {first.day}")
