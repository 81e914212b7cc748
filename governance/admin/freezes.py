"""The stop buttons of the console. What they do is done by ``governance.freezes``."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from governance import freezes
from governance.admin.agents import ReasonForm
from governance.console import ReadOnly, act_page, person
from governance.errors import Refused
from governance.models import ActionType, Freeze

STOPS = "admin:governance_freeze_changelist"
# Lists to choose from, and to look back on, have an end.
MOST_NAMES = 500
MOST_EARLIER = 50


@admin.register(Freeze)
class FreezeAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """One page: what is frozen, two buttons that freeze, and what was frozen before."""

    def has_view_permission(
        self, request: HttpRequest, obj: Freeze | None = None
    ) -> bool:
        user = person(request)
        return user.has_perm("governance.view_freeze") or may_freeze(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_authenticated and self.has_view_permission(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return (
            self._freeze(request) if request.method == "POST" else self._page(request)
        )

    def _freeze(self, request: HttpRequest) -> HttpResponse:
        if not may_freeze(request):
            raise PermissionDenied
        said = {name: request.POST.get(name, "") for name in ("pattern", "reason")}
        try:
            frozen = freezes.freeze(**said, author=person(request))
        except Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return self._page(request, said, status=refusal.status)
        self.message_user(request, f"{_named(frozen)} is frozen.", messages.WARNING)
        return redirect(STOPS)

    def _page(
        self,
        request: HttpRequest,
        said: dict[str, str] | None = None,
        status: int = 200,
    ) -> TemplateResponse:
        rows = Freeze.objects.select_related("frozen_by", "thawed_by")
        context = {
            **self.admin_site.each_context(request),
            "title": "Stop buttons",
            "opts": self.opts,
            "media": self.media,
            "frozen": rows.active(),
            "earlier": rows.exclude(thawed_at=None)[:MOST_EARLIER],
            "may_freeze": may_freeze(request),
            "names": ActionType.objects.values_list("name", "title")[:MOST_NAMES],
            "said": said or {},
        }
        return TemplateResponse(
            request, "admin/governance/stops.html", context, status=status
        )

    def get_urls(self) -> list[URLPattern]:
        thaw = path(
            "<int:object_id>/thaw/",
            self.admin_site.admin_view(self.thaw_view),
            name="governance_freeze_thaw",
        )
        # First, or the catch-all change view would swallow it.
        return [thaw, *super().get_urls()]

    def thaw_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        if not may_freeze(request):
            raise PermissionDenied
        frozen = get_object_or_404(Freeze, pk=object_id)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            return self._thaw(request, frozen, form.cleaned_data["reason"])
        return act_page(
            self,
            request,
            frozen,
            f"Thaw {frozen.pattern}",
            form=form,
            verb="Thaw",
            intro="It goes on at once: agents may submit again, and use what was "
            "approved before if its time has not run out.",
        )

    def _thaw(self, request: HttpRequest, frozen: Freeze, reason: str) -> HttpResponse:
        try:
            freezes.thaw(frozen, reason=reason, author=person(request))
        except Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        else:
            self.message_user(request, f"{_named(frozen)} may go on.")
        return redirect(STOPS)


def may_freeze(request: HttpRequest) -> bool:
    return person(request).has_perm(freezes.FREEZE)


def _named(frozen: Freeze) -> str:
    return "Everything" if frozen.pattern == freezes.EVERYTHING else frozen.pattern
