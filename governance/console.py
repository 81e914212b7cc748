"""What do the pages of the console have in common? Nothing here is about one model."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Model, QuerySet
from django.forms import Form
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import paginator
from unfold.contrib.filters.admin import RangeDateFilter

from governance.models import User


def person(request: HttpRequest) -> User:
    """Return who is logged in. The console lets nobody else this far."""
    assert isinstance(request.user, User)
    return request.user


class ReadOnly:
    """Closes the add, change and delete doors of an admin or an inline."""

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any) -> bool:
        return False


class Undeletable:
    """Rows that something on record refers to are switched off, never removed."""

    def has_delete_permission(self, *args: Any) -> bool:
        return False


class InfinitePaginator(paginator.InfinitePaginator):  # type: ignore[misc]
    """Pages for a million rows. It counts no further than people turn pages.

    The name is unfold's own: by it the page knows not to show a count of all rows.
    """

    most = 1_000

    @cached_property
    def count(self) -> int:
        counted: int = self.object_list.order_by()[: self.most + 1].count()
        return super().count if counted > self.most else counted


class DaysFilter(RangeDateFilter):  # type: ignore[misc]
    """From one day to another, both included, in the time zone of the console."""

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> QuerySet[Any] | None:
        name = self.parameter_name
        if first := self._day(f"{name}_from"):
            queryset = queryset.filter(**{f"{name}__gte": first})
        if last := self._day(f"{name}_to"):
            queryset = queryset.filter(**{f"{name}__lt": last + timedelta(days=1)})
        return queryset

    def _day(self, parameter: str) -> datetime | None:
        try:
            day = parse_date(self.used_parameters.get(parameter) or "")
        except ValueError:
            return None
        # Room for the time zone and the day that is added.
        if day is None or not 1 < day.year < 9999:
            return None
        return timezone.make_aware(datetime.combine(day, time()))


def label(text: str, colour: str = "") -> SafeString:
    """Return a coloured label: success, warning, danger, info, or nothing for grey."""
    return render_to_string(
        "unfold/helpers/label.html", {"text": text, "variant": colour}
    )


def pretty(value: Any) -> SafeString:
    """Return JSON as a block to read: complete, and never cut."""
    text = "-" if value is None else json.dumps(value, ensure_ascii=False, indent=2)
    return format_html(
        '<pre class="font-mono text-xs" '
        'style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>',
        text,
    )


def act_page(
    model_admin: ModelAdmin[Any],
    request: HttpRequest,
    about: Model,
    title: str,
    *,
    form: Form | None = None,
    **context: Any,
) -> TemplateResponse:
    """Return the page that asks before something is done, or says what it led to.

    ``intro`` says what will happen and ``verb`` is the button's; ``danger`` makes it
    red; ``key`` is shown instead of a form.
    """
    return TemplateResponse(
        request,
        "admin/governance/act.html",
        {
            **model_admin.admin_site.each_context(request),
            "title": title,
            "opts": model_admin.opts,
            "original": about,
            "form": form,
            "media": model_admin.media,
            **context,
        },
    )
