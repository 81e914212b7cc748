"""What was sent to agents' webhooks, and what came back? For the console."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from governance.console import (
    InfinitePaginator,
    ReadOnly,
    act_page,
    label,
    person,
    pretty,
)
from governance.errors import Refused
from governance.text_safety import visible_line
from notifications.webhooks import keeping
from notifications.webhooks.models import MAX_ATTEMPTS, WebhookAttempt, WebhookMessage

COLOURS = {"sent": "success", "waiting": "info", "failed": "danger"}


class AttemptInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = WebhookAttempt
    verbose_name_plural = "attempts"
    fields = ["at", "took", "status", "error", "answer"]
    readonly_fields = fields
    extra = 0
    hide_title = True

    def has_view_permission(self, *args: Any) -> bool:
        """Whoever sees the message."""
        return True

    @admin.display(description="took")
    def took(self, attempt: WebhookAttempt) -> str:
        if attempt.seconds is None:
            return "no end on record"
        return f"{attempt.seconds:.2f} s"


@admin.register(WebhookMessage)
class WebhookMessageAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ["type", "to", "made_at", "progress", "tries", "next", "error"]
    list_filter = ["state", "webhook__agent"]
    list_select_related = ["webhook__agent"]
    search_fields = ["key"]
    search_help_text = "Search for a webhook-id."
    show_full_result_count = False
    paginator = InfinitePaginator
    fields = ["key", "type", "to", "where", "made_at", "progress", "tries", "next"]
    fields += ["sent_at", "error", "said"]
    readonly_fields = fields
    inlines = [AttemptInline]
    actions = None
    actions_detail = ["replay"]

    @admin.display(description="to")
    def to(self, message: WebhookMessage) -> str:
        return visible_line(str(message.webhook))

    @admin.display(description="address")
    def where(self, message: WebhookMessage) -> str:
        return visible_line(message.webhook.url)

    @admin.display(description="state", ordering="state")
    def progress(self, message: WebhookMessage) -> SafeString:
        return label(message.get_state_display().lower(), COLOURS[message.state])

    @admin.display(description="attempts", ordering="attempts")
    def tries(self, message: WebhookMessage) -> str:
        return f"{message.attempts} of {MAX_ATTEMPTS}"

    @admin.display(description="next attempt", empty_value="-")
    def next(self, message: WebhookMessage) -> datetime | None:
        waiting = message.state == WebhookMessage.State.WAITING
        return message.next_attempt_at if waiting else None

    @admin.display(description="what it says")
    def said(self, message: WebhookMessage) -> SafeString:
        return pretty(json.loads(message.body))

    def has_change_webhook_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return person(request).has_perm(keeping.CHANGE)

    @action(description="Replay", icon="replay", permissions=["change_webhook"])  # type: ignore[untyped-decorator]
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        message: WebhookMessage | None = self.get_object(request, object_id)
        if message is None or not self.has_view_permission(request, message):
            raise Http404
        if request.method == "POST":
            try:
                keeping.replay(message, author=person(request))
            except Refused as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                self.message_user(request, "It is on its way again.")
            return redirect("admin:notifications_webhookmessage_change", message.pk)
        return act_page(
            self,
            request,
            message,
            f"Replay {message}",
            verb="Replay",
            intro="It is sent again under the same id, and tried as often as at first.",
        )
