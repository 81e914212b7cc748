"""What do the pages of the console have in common? Nothing here is about one model."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.admin import ModelAdmin
from django.db.models import Model
from django.forms import Form
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold import paginator

from governance.models import User
from governance.text_safety import visible


def person(request: HttpRequest) -> User:
    """Return who is logged in. The console lets nobody else this far."""
    assert isinstance(request.user, User)
    return request.user


def number(text: str) -> int:
    """Return what an address or a form names by its number; 0, which nothing has, for
    what is none, or is longer than any key."""
    plain = text.isascii() and text.isdecimal() and len(text) < 19
    return int(text) if plain else 0


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


def label(text: str, colour: str = "") -> SafeString:
    """Return a coloured label: success, warning, danger, info, or nothing for grey."""
    return render_to_string(
        "unfold/helpers/label.html", {"text": text, "variant": colour}
    )


def pretty(value: Any) -> SafeString:
    """Return JSON as a block to read: complete, never cut, and with nothing hidden."""
    text = "-" if value is None else json.dumps(value, ensure_ascii=False, indent=2)
    return format_html(
        '<pre class="font-mono text-xs" '
        'style="white-space: pre-wrap; overflow-wrap: anywhere">{}</pre>',
        visible(text),
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
