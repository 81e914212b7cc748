"""When do people work? Pure reckoning with working hours in a time zone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from policies.rules import Calendar

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
# Further than the longest duration reaches in ordinary working weeks.
FURTHEST = 40_000 * DAY

Stretch = tuple[datetime, datetime]


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Whether people work at this moment, by the clocks of their time zone."""
    local = at.astimezone(ZoneInfo(calendar.time_zone))
    if not is_workday(calendar, local.date()):
        return False
    minute = local.hour * 60 + local.minute
    return any(begin <= minute < end for begin, end in calendar.hours)


def is_workday(calendar: Calendar, day: date) -> bool:
    return day.weekday() in calendar.days and day not in calendar.holidays


def after(calendar: Calendar | None, start: datetime, span: timedelta) -> datetime:
    """Return the moment when this much time has passed; of a calendar, working time.

    More time comes later, always. Where people hardly ever work, it is further away
    than anybody waits: a rule that cannot be kept must not keep a request from being
    asked.
    """
    if calendar is None:
        return start + span
    left = span
    for begin, end in _stretches(calendar, start):
        begin = max(begin, start)
        if end - begin >= left:
            return begin + left
        left -= max(end - begin, timedelta(0))
    return start.astimezone(UTC) + FURTHEST + span


def _stretches(calendar: Calendar, start: datetime) -> Iterator[Stretch]:
    """Yield the stretches of working time from the day of ``start`` on, in UTC."""
    zone = ZoneInfo(calendar.time_zone)
    first = start.astimezone(zone).date()
    for number in range(FURTHEST.days):
        day = first + timedelta(days=number)
        if is_workday(calendar, day):
            begin, end = _midnight(day, zone), _midnight(day + DAY, zone)
            if end - begin == DAY:
                for opens, closes in calendar.hours:
                    yield begin + opens * MINUTE, begin + closes * MINUTE
            else:
                yield from _by_the_minute(calendar, begin, end)


def _by_the_minute(
    calendar: Calendar, begin: datetime, end: datetime
) -> Iterator[Stretch]:
    """Yield the stretches of a day on which the clocks change: ask them every minute.

    So an hour that is left out is no working time, and one that comes twice is twice.
    """
    minutes = (begin + n * MINUTE for n in range((end - begin) // MINUTE))
    for working, run in itertools.groupby(minutes, lambda at: is_open(calendar, at)):
        if working:
            first, *rest = run
            yield first, (rest[-1] if rest else first) + MINUTE


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def as_data(calendar: Calendar) -> dict[str, Any]:
    """Return a calendar as JSON, to be kept with what was begun by it."""
    return {
        "name": calendar.name,
        "time_zone": calendar.time_zone,
        "days": list(calendar.days),
        "hours": [list(stretch) for stretch in calendar.hours],
        "holidays": sorted(day.isoformat() for day in calendar.holidays),
    }


def from_data(data: Mapping[str, Any] | None) -> Calendar | None:
    if data is None:
        return None
    return Calendar(
        data["name"],
        data["time_zone"],
        tuple(data["days"]),
        tuple((begin, end) for begin, end in data["hours"]),
        frozenset(map(date.fromisoformat, data["holidays"])),
    )
