"""What happened? The audit log, to read and to take away. Never to edit."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RelatedDropdownFilter

from governance import clock, downloads, export, words
from governance.admin.filters import (
    ActionFilter,
    ActorFilter,
    KindFilter,
    MomentsFilter,
    OutcomeFilter,
    PolicyFilter,
    as_uuid,
    unread,
)
from governance.console import InfinitePaginator, ReadOnly, person, pretty
from governance.models import Agent, Event, EventQuerySet, User
from governance.text_safety import visible_line

WRITE_IT = "Write 2026-11-22, or 2026-11-22T14:00. Nothing is listed until then."


class Told:
    """What every table of events shows."""

    @admin.display(description="when")
    def when(self, event: Event) -> SafeString:
        return instant(event.at)

    @admin.display(description="what")
    def what(self, event: Event) -> str:
        return words.kind(event.kind)

    @admin.display(description="who")
    def who(self, event: Event) -> str:
        return event.actor_name or event.actor_kind


class LongList:
    """A list of a million rows: nothing about it reads or counts all of them."""

    list_per_page = 50
    list_max_show_all = 0
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_filter_submit = True
    list_filter_sheet = True
    change_list_template = "admin/governance/list.html"
    actions = None

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        listed = super().get_changelist_instance(request)  # type: ignore[misc]
        if request.method == "GET":
            for text in unread(listed.filter_specs):
                messages.error(
                    request, f"“{visible_line(text)}” is no time. {WRITE_IT}"
                )
        return listed


@admin.register(Event)
class EventAdmin(Told, LongList, ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ["when", "what", "who", "about", "details"]
    list_filter = [
        ("at", MomentsFilter),
        KindFilter,
        ActorFilter,
        ("agent", RelatedDropdownFilter),
        ActionFilter,
        PolicyFilter,
        OutcomeFilter,
    ]
    list_select_related = ["action", "agent"]
    search_fields = ["stream"]
    search_help_text = "An action's id, a person's or an agent's name, or a stream"
    # As the indexes of the filters have it.
    ordering = ["-at", "-pk"]
    sortable_by: list[str] = []
    list_before_template = "admin/governance/event/export.html"

    class Media:
        css = {"all": ["governance/record.css"]}

    fields = ["id", "when", "what", "who", "about", "stream", "everything"]
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        if not search_term:
            return queryset, False
        if pk := as_uuid(search_term):
            return queryset.filter(action=pk), False
        return queryset.filter(_named(search_term)), False

    @admin.display(description="about")
    def about(self, event: Event) -> str | SafeString:
        if event.action is None:
            return event.subject
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>',
            reverse("admin:governance_action_change", args=[event.action_id]),
            visible_line(event.subject),
        )

    @admin.display(description="details")
    def details(self, event: Event) -> str:
        return words.details(event.data)

    @admin.display(description="on record")
    def everything(self, event: Event) -> SafeString:
        return pretty(json.loads(event.body))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return person(request).has_perm("governance.export_event")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        taking = self._taking(request) if self.has_export_permission(request) else {}
        context = {"title": "Audit log", **taking, **(extra_context or {})}
        return super().changelist_view(request, context)

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "governance_event_export"
        own = [
            path("export/", wrap(require_POST(self.export_view)), name=name),
            path("export/progress/", wrap(self.progress_view), name=f"{name}_progress"),
        ]
        return [*own, *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Answer the events of the list that was on screen, in one download."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        form = request.POST.get("format")
        if form not in export.FORMATS:
            raise PermissionDenied
        try:
            listed = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            said = "There is no such filter. Nothing was downloaded."
            self.message_user(request, said, messages.ERROR)
            return redirect("admin:governance_event_changelist")
        if unread(listed.filter_specs):
            # The list says why.
            page = reverse("admin:governance_event_changelist")
            return redirect(f"{page}?{request.GET.urlencode()}")
        wanted: EventQuerySet = listed.queryset
        filters, bom = request.GET.dict(), "bom" in request.POST
        pieces = downloads.start(wanted, person(request), form, filters, bom=bom)
        kind = export.CONTENT_TYPES[form]
        response = StreamingHttpResponse(pieces, content_type=kind)
        response["Content-Disposition"] = f'attachment; filename="audit-log.{form}"'
        response["Cache-Control"] = "no-store"
        return response

    def progress_view(self, request: HttpRequest) -> HttpResponse:
        """Return what the page asks for every second while something is downloaded."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        template = "admin/governance/event/downloads.html"
        return TemplateResponse(request, template, self._taking(request))

    def _taking(self, request: HttpRequest) -> dict[str, Any]:
        """Return this person's downloads, and whether to ask for them again.

        The browser asks at once when a button is pressed, perhaps before the download
        has begun: the first few times it is told to ask again in any case.
        """
        found = downloads.of(person(request), clock.now())
        asked = request.GET.get("asked", "")
        times = int(asked) + 1 if asked in {"0", "1", "2", "3"} else None
        more = times is not None or any(each.is_running for each in found)
        return {"may_export": True, "downloads": found, "asked": times, "more": more}


def _named(term: str) -> Q:
    """Select what an agent or a person of this name is on record for.

    Whoever else, and streams: only what was done to something other than an action.
    """
    agents = Agent.objects.filter(name=term).values_list("pk", flat=True)
    people = User.objects.filter(username=term).values_list("pk", flat=True)
    found = Q()
    for agent in agents:
        found |= Q(agent=agent)
    for pk in people:
        found |= Q(actor_kind="person", actor_id=str(pk))
    return found or Q(action=None) & (Q(actor_name=term) | Q(stream=term))


def instant(at: datetime) -> SafeString:
    return format_html('<span class="whitespace-nowrap">{}</span>', words.moment(at))
