"""What did agents ask for, and what became of it? Actions, to read and never to edit."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import action

from governance import risk, words
from governance.admin.events import LongList, Told
from governance.admin.filters import (
    AskedFilter,
    BandFilter,
    StatusFilter,
    as_uuid,
)
from governance.console import (
    ReadOnly,
    label,
    person,
    pretty,
)
from governance.models import Action, Event, Status
from governance.text_safety import visible, visible_line

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


DECISIONS = {
    Action.Decision.ALLOW: "success",
    Action.Decision.BLOCK: "danger",
    Action.Decision.REQUIRE_APPROVAL: "warning",
}
REASON = '<p>{} <code class="font-mono text-xs">{}</code></p>'


def _said(reason: dict[str, Any]) -> tuple[str, str]:
    """Return why a policy decided so, and which."""
    decision = Action.Decision(reason["decision"]).label
    words = visible_line(reason.get("reason") or "It gives no reason.")
    policy = reason.get("policy")
    name = f"{policy} v{reason.get('version')}" if policy else "no policy"
    return f"{decision}: {words}", visible_line(name)


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
class ActionAdmin(LongList, ReadOnly, ModelAdmin):  # type: ignore[misc]
    class Media:
        css = {"all": ["governance/record.css"]}

    list_display = ["summarised", "agent", "state", "verdict", "risky", "created_at"]
    list_filter = [
        StatusFilter,
        ("agent", RelatedDropdownFilter),
        ("decision", admin.ChoicesFieldListFilter),
        BandFilter,
        ("created_at", AskedFilter),
    ]
    list_select_related = ["agent"]
    search_fields = ["name"]
    search_help_text = "The action's id, or its name"
    ordering = ["-pk"]
    actions_detail = ["print_story"]
    inlines = [StoryInline]
    fieldsets = [
        (
            None,
            {"fields": ["summarised", "agent", "state", "verdict", "risky", "story"]},
        ),
        (
            "What runs",
            {"fields": ["name", "all_params", "all_resource", "whole_digest"]},
        ),
        ("What the agent says", {"fields": ["said", "all_context"]}),
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

    def has_print_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        seen = ("governance.view_action", "governance.view_event")
        return person(request).has_perms(seen)

    @action(
        description="The whole story, to print", icon="print", permissions=["print"]
    )  # type: ignore[untyped-decorator]
    def print_story(self, request: HttpRequest, object_id: str) -> HttpResponse:
        shown = self.get_object(request, object_id)
        if shown is None:
            raise Http404
        return redirect("admin:approvals_story", shown.pk)

    @admin.display(description="action")
    def summarised(self, action: Action) -> str:
        return visible_line(str(action))

    @admin.display(description="status", ordering="status")
    def state(self, action: Action) -> SafeString:
        status = Status(action.status)
        return label(status.label, COLOURS.get(status, ""))

    @admin.display(description="decision", ordering="decision")
    def verdict(self, action: Action) -> SafeString:
        decision = Action.Decision(action.decision)
        return label(decision.label, DECISIONS[decision])

    @admin.display(description="risk", ordering="risk")
    def risky(self, action: Action) -> str:
        return f"{action.risk}, {risk.band_of(action.risk)}"

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

    @admin.display(description="digest")
    def whole_digest(self, action: Action) -> SafeString:
        return format_html(
            '<code class="font-mono text-xs" style="overflow-wrap: anywhere">{}</code>',
            action.digest,
        )

    @admin.display(description="reason")
    def said(self, action: Action) -> str:
        return visible(action.reason) or "It gave none."

    @admin.display(description="resource")
    def all_resource(self, action: Action) -> SafeString:
        return pretty(action.resource)

    @admin.display(description="context")
    def all_context(self, action: Action) -> SafeString:
        return pretty(action.context)

    @admin.display(description="reasons")
    def all_reasons(self, action: Action) -> SafeString:
        """The sentences; what is on record to the letter is in the audit log."""
        return format_html_join("", REASON, map(_said, action.reasons))

    @admin.display(description="outcome")
    def outcome(self, action: Action) -> SafeString:
        return pretty(action.outcome_detail)
