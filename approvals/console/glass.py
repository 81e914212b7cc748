"""The console's pages of last resort: breaking the glass, and what was done under it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from approvals import services, stops
from approvals.console import access
from approvals.models import ApprovalRequest, BreakGlass
from approvals.services import glass as breaking
from governance import clock
from governance.console import ReadOnly, person
from governance.errors import Refused
from governance.models import ActionType, Agent

PAGE = "admin:approvals_breakglass_changelist"
REVIEW = "admin:approvals_approvalrequest_change"
MOST_NAMES = 500
MOST_EARLIER = 50
LENGTHS = (15, 30, 60, 120, 240, 480, 1440)


class GlassForm(forms.Form):
    """What somebody wants to answer for. The service says what is wrong with it."""

    pattern = forms.CharField(required=False)
    reason = forms.CharField(required=False)
    agent = forms.ModelChoiceField(Agent.objects.working(), required=False)
    minutes = forms.IntegerField(min_value=1, max_value=60 * 24 * 365)


@admin.register(BreakGlass)
class BreakGlassAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """One page: what is broken, a form that breaks, and what was broken before."""

    def has_view_permission(
        self, request: HttpRequest, obj: BreakGlass | None = None
    ) -> bool:
        named = ("approvals.view_breakglass", "approvals.break_glass")
        return access.may_open(request) or any(map(person(request).has_perm, named))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_authenticated and self.has_view_permission(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._break(request) if request.method == "POST" else self._page(request)

    def _break(self, request: HttpRequest) -> HttpResponse:
        form = GlassForm(request.POST)
        if not form.is_valid():
            self.message_user(request, "Choose an agent and a time.", messages.ERROR)
            return self._page(request, form, status=422)
        said = form.cleaned_data
        try:
            broken = services.break_glass(
                person(request),
                pattern=said["pattern"],
                reason=said["reason"],
                agent=said["agent"],
                for_=timedelta(minutes=said["minutes"]),
            )
        except Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return self._page(request, form, status=refusal.status)
        told = f"The glass is broken for {broken.pattern}. Everybody concerned is told."
        self.message_user(request, told, messages.WARNING)
        return redirect(PAGE)

    def _page(
        self, request: HttpRequest, form: GlassForm | None = None, status: int = 200
    ) -> TemplateResponse:
        at = clock.now()
        rows = BreakGlass.objects.select_related("person", "agent", "ended_by")
        active = list(rows.active(at))
        me = person(request)
        context = {
            **self.admin_site.each_context(request),
            "title": "Break-glass",
            "opts": self.opts,
            "media": self.media,
            "active": [(each, breaking.may_mend(each, me)) for each in active],
            "earlier": rows.exclude(pk__in=[g.pk for g in active])[:MOST_EARLIER],
            "may_break": stops.may_break_glass(me),
            "least": breaking.LEAST_REASON,
            "lengths": lengths(),
            "names": ActionType.objects.values_list("name", "title")[:MOST_NAMES],
            "agents": _others(request),
            "said": form.data if form else {},
        }
        return TemplateResponse(
            request, "approvals/console/glass.html", context, status=status
        )

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path(
                "<int:object_id>/mend/",
                wrap(self.mend_view),
                name="approvals_breakglass_mend",
            ),
            path(
                "release/<uuid:pk>/",
                wrap(self.release_view),
                name="approvals_breakglass_release",
            ),
        ]
        # First, or the catch-all change view would swallow them.
        return [*own, *super().get_urls()]

    def mend_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            broken = get_object_or_404(BreakGlass, pk=object_id)
            try:
                services.mend_glass(broken, person(request))
            except Refused as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                self.message_user(request, "It is over: people are asked again.")
        return redirect(PAGE)

    def release_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        visible = ApprovalRequest.objects.visible_to(person(request))
        asked = get_object_or_404(visible, pk=pk)
        if request.method == "POST":
            digest = request.POST.get("digest", "")
            try:
                services.release(asked, person(request), digest=digest)
            except Refused as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                told = f"It goes ahead without approval: {asked}"
                self.message_user(request, told, messages.WARNING)
        return redirect(REVIEW, asked.pk)


def lengths() -> list[tuple[int, str]]:
    """Return how long the glass may be broken, in minutes and in words."""
    most = int(settings.BREAK_GLASS_MAX.total_seconds() // 60)
    found = [each for each in LENGTHS if each <= most] or [max(1, most)]
    return [
        (each, f"{each} minutes" if each < 120 else f"{each // 60} hours")
        for each in found
    ]


def _others(request: HttpRequest) -> QuerySet[Agent]:
    """Return the agents that are not this person's own."""
    return Agent.objects.working().exclude(owner=person(request))[:MOST_NAMES]
