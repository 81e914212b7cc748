"""Working time: deadlines that count only the hours in which people work."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import calendars, services
from policies.bodies import Subject
from policies.models import Calendar as Saved
from policies.models import Version
from policies.rules import Calendar
from tests.pages import browser, root
from tests.policies.making import flow

PAGE = "/admin/policies/calendar/"

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")


def office(**given: Any) -> Calendar:
    """Nine to five in Berlin, from Monday to Friday."""
    return Calendar("office", **{"time_zone": "Europe/Berlin", **given})


def all_day(**given: Any) -> Calendar:
    return office(days=tuple(range(7)), hours=((0, 1440),), **given)


def hours(*stretches: str) -> tuple[tuple[int, int], ...]:
    def minutes(clock: str) -> int:
        hour, minute = clock.split(":")
        return int(hour) * 60 + int(minute)

    pairs = [stretch.split("-") for stretch in stretches]
    return tuple((minutes(begin), minutes(end)) for begin, end in pairs)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def test_without_a_calendar_every_hour_counts() -> None:
    start = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)

    assert calendars.after(None, start, 5 * HOUR) == start + 5 * HOUR


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        # Within a day; up to its very end; over the night; over the weekend.
        ("2026-11-25T10:00", 3 * HOUR, "2026-11-25T13:00"),
        ("2026-11-25T10:00", 7 * HOUR, "2026-11-25T17:00"),
        ("2026-11-25T10:00", 7 * HOUR + MINUTE, "2026-11-26T09:01"),
        ("2026-11-27T16:30", HOUR, "2026-11-30T09:30"),
        # Opened before the office does, after it has closed, and on a Sunday.
        ("2026-11-25T06:00", HOUR, "2026-11-25T10:00"),
        ("2026-11-25T17:00", HOUR, "2026-11-26T10:00"),
        ("2026-11-29T12:00", HOUR, "2026-11-30T10:00"),
        # Several days.
        ("2026-11-23T09:00", 40 * HOUR, "2026-11-27T17:00"),
        ("2026-11-23T09:00", 41 * HOUR, "2026-11-30T10:00"),
    ],
)
def test_only_working_time_counts(start: str, span: timedelta, end: str) -> None:
    assert calendars.after(office(), berlin(start), span) == berlin(end)


def test_holidays_do_not_count() -> None:
    calendar = office(holidays=frozenset({date(2026, 12, 25), date(2026, 12, 28)}))

    end = calendars.after(calendar, berlin("2026-12-24T16:00"), 2 * HOUR)

    assert end == berlin("2026-12-29T10:00")


def test_a_lunch_break_does_not_count() -> None:
    calendar = office(hours=hours("09:00-12:00", "13:00-17:00"))

    end = calendars.after(calendar, berlin("2026-11-25T11:30"), HOUR)

    assert end == berlin("2026-11-25T13:30")


def test_a_night_shift_goes_on_at_midnight() -> None:
    calendar = office(hours=hours("00:00-06:00", "22:00-24:00"))

    assert calendars.is_open(calendar, berlin("2026-11-25T23:59"))
    assert calendars.after(calendar, berlin("2026-11-25T23:00"), 2 * HOUR) == berlin(
        "2026-11-26T01:00"
    )
    # Friday's shift ends at midnight: Saturday is off.
    assert calendars.after(calendar, berlin("2026-11-27T23:00"), 2 * HOUR) == berlin(
        "2026-11-30T01:00"
    )


def test_an_hour_that_the_clocks_leave_out_is_no_working_time() -> None:
    # On March 29, 2026, two o'clock is three o'clock in Berlin.
    start = berlin("2026-03-28T23:00")

    assert calendars.after(all_day(), start, 24 * HOUR) == start.astimezone(
        UTC
    ) + timedelta(hours=24)
    night = office(days=(6,), hours=hours("01:00-02:30", "02:30-04:00"))
    assert calendars.after(night, start, 2 * HOUR) == berlin("2026-03-29T04:00")
    assert calendars.after(night, start, 2 * HOUR + MINUTE) == berlin(
        "2026-04-05T01:01"
    )


def test_an_hour_that_comes_twice_is_worked_twice() -> None:
    # On October 25, 2026, three o'clock is two o'clock again in Berlin.
    night = office(days=(6,), hours=hours("01:00-04:00"))
    start = berlin("2026-10-24T12:00")

    assert calendars.after(night, start, 4 * HOUR) == berlin("2026-10-25T04:00")


def test_office_hours_stay_the_same_by_the_clock_on_the_wall() -> None:
    before, later = berlin("2026-03-27T16:00"), berlin("2026-03-30T10:00")

    assert calendars.after(office(), before, 2 * HOUR) == later
    assert later.astimezone(UTC).hour == 8


def test_a_day_that_begins_at_one_is_a_day() -> None:
    # In Beirut the clocks change at midnight.
    calendar = Calendar("c", "Asia/Beirut", tuple(range(7)), ((0, 1440),))
    start = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)

    assert calendars.after(calendar, start, 48 * HOUR) == start + 48 * HOUR


def test_who_hardly_ever_works_is_waited_for_all_the_same() -> None:
    never = office(days=(0,), hours=((0, 1),))
    start = berlin("2026-11-25T10:00")

    soon = calendars.after(never, start, timedelta(days=3000))
    late = calendars.after(never, start, timedelta(days=3650))

    assert start.year + 100 < soon.year < 2200
    assert soon < late


def test_a_calendar_is_kept_as_json() -> None:
    calendar = office(
        holidays=frozenset({date(2026, 12, 25)}), hours=hours("09:00-24:00")
    )

    assert calendars.from_data(calendars.as_data(calendar)) == calendar
    assert calendars.from_data(None) is None


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]
STRETCHES = st.lists(st.integers(0, 48), min_size=2, max_size=6, unique=True).map(
    lambda marks: _stretches(sorted(half * 30 for half in marks))
)


def _stretches(marks: list[int]) -> tuple[tuple[int, int], ...]:
    return tuple(zip(marks[::2], marks[1::2], strict=False))


@settings(deadline=None, max_examples=100)
@given(
    zone=st.sampled_from(ZONES),
    days=st.sets(st.integers(0, 6), min_size=1).map(lambda d: tuple(sorted(d))),
    stretches=STRETCHES,
    # Days around those on which clocks change somewhere.
    day=st.sampled_from(["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-24"]),
    minute=st.integers(0, 2880),
    span=st.integers(1, 2000),
)
def test_it_is_what_counting_minute_by_minute_says(
    zone: str,
    days: tuple[int, ...],
    stretches: tuple[tuple[int, int], ...],
    day: str,
    minute: int,
    span: int,
) -> None:
    calendar = Calendar("c", zone, days, stretches)
    start = datetime.fromisoformat(f"{day}T00:00+00:00") + minute * MINUTE
    end = calendars.after(calendar, start, span * MINUTE)

    if end - start < timedelta(days=30):
        minutes = (end - start) // MINUTE
        worked = (
            calendars.is_open(calendar, start + n * MINUTE) for n in range(minutes)
        )
        assert sum(worked) == span
        assert calendars.is_open(calendar, end - MINUTE)


# The page


def calendar_form(**given: Any) -> dict[str, Any]:
    return {
        "name": "office",
        "time_zone": "Europe/Berlin",
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "hours": "09:00-12:00, 13:00-17:00",
        "holidays": "2026-12-25\r\n2026-12-26",
        "note": "",
        **given,
    }


@pytest.fixture
def console(db: None) -> Client:
    return browser(root())


def test_a_calendar_is_saved_with_a_version(console: Client) -> None:
    answer = console.post(f"{PAGE}add/", calendar_form())
    assert answer.status_code == 302, answer.context["errors"]

    saved = Saved.objects.get()
    assert saved.hours == ["09:00-12:00", "13:00-17:00"]
    assert saved.holidays == ["2026-12-25", "2026-12-26"]
    assert "Mon to Fri" in console.get(PAGE).content.decode()
    console.post(f"{PAGE}{saved.pk}/change/", calendar_form())
    assert Version.objects.count() == 1


def test_the_page_of_a_calendar_shows_what_is_saved(console: Client) -> None:
    services.save(Subject.CALENDAR, {"name": "c", "holidays": ["2026-12-25"]})
    [row] = Saved.objects.all()

    shown = console.get(f"{PAGE}{row.pk}/change/").content.decode()
    assert "09:00-17:00" in shown
    assert "2026-12-25</textarea>" in shown
    assert shown.count("checked") >= 5


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("time_zone", "Berlin", "is no time zone"),
        ("hours", "17:00-09:00", "must end later"),
        ("hours", "", "required"),
        ("days", [], "required"),
        ("holidays", "Christmas", "Write a day like"),
        ("name", "Office Hours", "lower-case"),
    ],
)
def test_a_problem_is_shown_at_its_field(
    console: Client, field: str, value: Any, words: str
) -> None:
    answer = console.post(f"{PAGE}add/", calendar_form(**{field: value}))

    assert words in str(answer.context["adminform"].form.errors[field])
    assert not Saved.objects.exists()


def test_a_calendar_in_use_is_not_removed(console: Client) -> None:
    services.save(Subject.CALENDAR, {"name": "office"})
    services.save(Subject.FLOW, flow(calendar="office"))
    [row] = Saved.objects.all()

    answer = console.post(
        reverse("admin:policies_calendar_remove", args=[row.pk]),
        {"note": "Gone."},
        follow=True,
    )

    assert "still used by flow managers" in answer.content.decode()
    assert Saved.objects.exists()
