"""When do people work? Hours in a time zone, and the days that are off."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from policies import fields
from policies.admin.base import RuleAdmin
from policies.admin.forms import PatternsField, RuleForm
from policies.bodies import Subject
from policies.models import Calendar

DAYS = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}


class LinesField(PatternsField):
    """Values, one a line."""

    widget = UnfoldAdminTextareaWidget

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return str(value or "").replace(",", " ").split()


class CalendarForm(RuleForm):
    subject = Subject.CALENDAR

    time_zone = forms.CharField(
        initial="UTC",
        widget=UnfoldAdminTextInputWidget,
        help_text="E.g. Europe/Berlin. Its summer time is taken into account.",
    )
    days = forms.MultipleChoiceField(
        choices=list(DAYS.items()),
        initial=list(DAYS)[:5],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    hours = PatternsField(
        initial=["09:00-17:00"],
        help_text="E.g. 09:00-12:00, 13:00-17:00. A night: 00:00-06:00, 22:00-24:00.",
    )
    holidays = LinesField(
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 6}),
        help_text="Days that are off, one a line: 2026-12-25",
    )

    class Meta:
        model = Calendar
        fields = ["name", "time_zone", "days", "hours", "holidays"]


@admin.register(Calendar)
class CalendarAdmin(RuleAdmin):
    form = CalendarForm
    list_display = ["name", "time_zone", "week", "times", "off"]
    search_fields = ["name", "time_zone"]

    @admin.display(description="days")
    def week(self, calendar: Calendar) -> str:
        """Say the days of the week in few words: ``Mon to Fri``."""
        places = [fields.DAYS.index(day) for day in calendar.days]
        names = [day.capitalize() for day in calendar.days]
        if len(places) > 2 and places[-1] - places[0] == len(places) - 1:
            return f"{names[0]} to {names[-1]}"
        return ", ".join(names)

    @admin.display(description="hours")
    def times(self, calendar: Calendar) -> str:
        return ", ".join(calendar.hours)

    @admin.display(description="days off")
    def off(self, calendar: Calendar) -> int:
        return len(calendar.holidays)
