"""What does one person want to hear, and where? Their own page; nobody else's."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from governance.console import person
from notifications.routing import changing
from notifications.routing.addresses import wanted
from notifications.routing.forms import OFFERED, PreferenceForm
from notifications.routing.models import EMAIL

PAGE = "admin:notifications_preference_mine"


@require_http_methods(["GET", "HEAD", "POST"])
def mine(request: HttpRequest) -> HttpResponse:
    """Show the form of whoever is logged in, and keep what they choose."""
    me = person(request)
    form = PreferenceForm(request.POST or None, instance=wanted(me))
    if request.method == "POST" and form.is_valid():
        changing.prefer(form.save(commit=False))
        messages.success(request, "It is as you have chosen from now on.")
        return redirect(PAGE)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "What reaches you",
        "form": form,
        "sections": _sections(form),
        "address": me.email,
        "account": getattr(me, "slack_account", None),
    }
    status = 422 if form.errors else 200
    return TemplateResponse(
        request, "notifications/preferences.html", context, status=status
    )


def _sections(form: PreferenceForm) -> list[tuple[str, str, list[Any]]]:
    """Return the fields under their headings; no channel that nobody can use."""
    ways = [name for name in (EMAIL, *OFFERED) if name in form.fields]
    return [
        (
            "Where",
            "The console always tells you. Beside it, what asks for your decision comes by:",
            [form[name] for name in ways],
        ),
        (
            "When",
            "In quiet hours, messages wait for their end. While you are muted, they stay "
            "in the console.",
            [
                form[name]
                for name in (
                    "quiet_from",
                    "quiet_until",
                    "time_zone",
                    "mute",
                    "urgent_from",
                )
            ],
        ),
        (
            "What",
            "Several requests of low risk can come in one mail.",
            [form["digest_minutes"], form["own_agents"]],
        ),
    ]
