"""What happened? Actions and the audit log, to read and to take away. Never to edit."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import DropdownFilter, RelatedDropdownFilter

from governance import export, words
from governance.console import (
    DaysFilter,
    InfinitePaginator,
    ReadOnly,
    label,
    person,
    pretty,
)
from governance.ledger import Actor, Kind
from governance.models import Action, Event, EventQuerySet, Status, User

COLOURS = {
    Status.ALLOWED: "success",
    Status.APPROVED: "success",
    Status.SUCCEEDED: "success",
    Status.PENDING: "warning",
    Status.CHANGES_REQUESTED: "warning",
    Status.UNKNOWN: "warning",
    Status.EXECUTING: "info",
    Status.BLOCKED: "danger",
    Status.REJECTED: "danger",
    Status.FAILED: "danger",
}


class StatusFilter(DropdownFilter):  # type: ignore[misc]
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        return [(value, text) for value, text in Status.choices]

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(status=self.value()) if self.value() else rows


class KindFilter(DropdownFilter):  # type: ignore[misc]
    title = "what happened"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        return sorted(((k, words.kind(k)) for k in Kind.values), key=lambda k: k[1])

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(kind=self.value()) if self.value() else rows


class ActorFilter(DropdownFilter):  # type: ignore[misc]
    title = "who did it"
    parameter_name = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[Any]:
        people = User.objects.order_by("username").values_list("pk", "username")
        kinds = [("person", "Any person"), ("agent", "Any agent"), ("system", "System")]
        return [*kinds, *((f"person:{pk}", name) for pk, name in people)]

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        kind, _, pk = (self.value() or "").partition(":")
        if kind:
            rows = rows.filter(actor_kind=kind)
        return rows.filter(actor_id=pk) if pk else rows


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


class StoryInline(Told, ReadOnly, TabularInline):  # type: ignore[misc]
    """What happened to one action, in its order."""

    model = Event
    fields = ["when", "what", "who", "details"]
    readonly_fields = fields
    ordering = ["id"]
    verbose_name_plural = "story"
    extra = 0
    hide_title = True

    @admin.display(description="details")
    def details(self, event: Event) -> str:
        return words.details(event.data)


@admin.register(Action)
class ActionAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ["summarised", "agent", "state", "decision", "risk", "created_at"]
    list_filter = [
        StatusFilter,
        ("agent", RelatedDropdownFilter),
        ("decision", admin.ChoicesFieldListFilter),
        ("created_at", DaysFilter),
    ]
    list_select_related = ["agent"]
    list_per_page = 50
    list_max_show_all = 0
    paginator = InfinitePaginator
    show_full_result_count = False
    search_fields = ["name"]
    search_help_text = "The action's id, or its name"
    ordering = ["-pk"]
    actions = None
    inlines = [StoryInline]
    fieldsets = [
        (
            None,
            {"fields": ["summarised", "agent", "state", "decision", "risk", "story"]},
        ),
        ("What runs", {"fields": ["name", "all_params", "all_resource", "digest"]}),
        ("What the agent says", {"fields": ["reason", "all_context"]}),
        (
            "What the policies say",
            {"fields": ["all_reasons", "explanation", "reversible"]},
        ),
        (
            "When",
            {
                "fields": [
                    "id",
                    "revision",
                    "created_at",
                    "updated_at",
                    "deadline_at",
                    "settled_at",
                    "grant_expires_at",
                    "consumed_at",
                    "outcome",
                ]
            },
        ),
    ]

    def get_readonly_fields(self, *args: Any) -> list[str]:
        return [name for _, options in self.fieldsets for name in options["fields"]]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Action], search_term: str
    ) -> tuple[QuerySet[Action], bool]:
        if pk := as_uuid(search_term):
            return queryset.filter(pk=pk), False
        found = queryset.filter(name__startswith=search_term)
        return found if search_term else queryset, False

    @admin.display(description="action")
    def summarised(self, action: Action) -> str:
        return str(action)

    @admin.display(description="status", ordering="status")
    def state(self, action: Action) -> SafeString:
        status = Status(action.status)
        return label(status.label, COLOURS.get(status, ""))

    @admin.display(description="audit log")
    def story(self, action: Action) -> SafeString:
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}?q={}">'
            "Everything on record about this action</a>",
            reverse("admin:governance_event_changelist"),
            action.pk,
        )

    @admin.display(description="why")
    def explanation(self, action: Action) -> SafeString:
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">'
            "Every policy that was asked, and what decided it</a>",
            reverse("admin:policies_explain", args=[action.pk]),
        )

    @admin.display(description="parameters")
    def all_params(self, action: Action) -> SafeString:
        return pretty(action.params)

    @admin.display(description="resource")
    def all_resource(self, action: Action) -> SafeString:
        return pretty(action.resource)

    @admin.display(description="context")
    def all_context(self, action: Action) -> SafeString:
        return pretty(action.context)

    @admin.display(description="reasons")
    def all_reasons(self, action: Action) -> SafeString:
        return pretty(action.reasons)

    @admin.display(description="outcome")
    def outcome(self, action: Action) -> SafeString:
        return pretty(action.outcome_detail)


@admin.register(Event)
class EventAdmin(Told, ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ["when", "what", "who", "about", "details"]
    list_filter = [
        KindFilter,
        ActorFilter,
        ("agent", RelatedDropdownFilter),
        ("at", DaysFilter),
    ]
    list_select_related = ["action", "agent"]
    list_per_page = 50
    list_max_show_all = 0
    paginator = InfinitePaginator
    show_full_result_count = False
    search_fields = ["stream"]
    search_help_text = "An action's id, a person's or an agent's name, or a stream"
    ordering = ["-pk"]
    sortable_by: list[str] = []
    actions = None
    list_before_template = "admin/governance/event/export.html"
    fields = ["id", "when", "what", "who", "about", "stream", "everything"]
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        if not search_term:
            return queryset, False
        if pk := as_uuid(search_term):
            return queryset.filter(action=pk), False
        named = Q(actor_name=search_term) | Q(agent__name=search_term)
        return queryset.filter(named | Q(stream=search_term)), False

    @admin.display(description="about")
    def about(self, event: Event) -> str | SafeString:
        if event.action is None:
            return event.stream.replace(":", " ", 1)
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>',
            reverse("admin:governance_action_change", args=[event.action_id]),
            str(event.action),
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
        may_export = {"may_export": self.has_export_permission(request)}
        return super().changelist_view(request, {**may_export, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        take = path(
            "export/",
            self.admin_site.admin_view(require_POST(self.export_view)),
            name="governance_event_export",
        )
        return [take, *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Answer the events of the list that was on screen, in one download."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        form = request.POST.get("format")
        if form not in export.FORMATS:
            raise PermissionDenied
        wanted: EventQuerySet = self.get_changelist_instance(request).queryset
        actor = Actor.person(person(request))
        events = export.start(wanted, actor, form, request.GET.dict())
        response = StreamingHttpResponse(
            export.lines(events, form, bom="bom" in request.POST),
            content_type=export.CONTENT_TYPES[form],
        )
        response["Content-Disposition"] = f'attachment; filename="audit-log.{form}"'
        response["Cache-Control"] = "no-store"
        return response


def instant(at: datetime) -> SafeString:
    return format_html('<span class="whitespace-nowrap">{}</span>', words.moment(at))


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None
