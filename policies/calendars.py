"""When do people work? Pure reckoning with working hours in a time zone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from policies.rules import Calendar

# Further than any deadline reaches, so that a calendar of holidays alone comes to an end.
MOST_DAYS = 40_000


def is_open(calendar: Calendar, at: datetime) -> bool:
    """Whether people work at this moment."""
    local = at.astimezone(ZoneInfo(calendar.time_zone))
    if not is_workday(calendar, local.date()):
        return False
    minute = local.hour * 60 + local.minute
    return any(begin <= minute < end for begin, end in calendar.hours)


def is_workday(calendar: Calendar, day: date) -> bool:
    return day.weekday() in calendar.days and day not in calendar.holidays


def after(calendar: Calendar | None, start: datetime, span: timedelta) -> datetime:
    """Return the moment when this much time has passed; of a calendar, working time."""
    if calendar is None:
        return start + span
    left = span
    for begin, end in _stretches(calendar, start):
        begin = max(begin, start)
        if end - begin >= left:
            return begin + left
        left -= max(end - begin, timedelta(0))
    raise ValueError(f"The calendar {calendar.name} has too little working time.")


def _stretches(
    calendar: Calendar, start: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the stretches of working time from the day of ``start`` on, in UTC."""
    zone = ZoneInfo(calendar.time_zone)
    first = start.astimezone(zone).date()
    for number in range(MOST_DAYS):
        day = first + timedelta(days=number)
        if is_workday(calendar, day):
            for begin, end in calendar.hours:
                yield _moment(day, begin, zone), _moment(day, end, zone)


def _moment(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    days, minutes = divmod(minutes, 24 * 60)
    clock = time(minutes // 60, minutes % 60, tzinfo=zone)
    return datetime.combine(day + timedelta(days=days), clock).astimezone(UTC)


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
