"""Agents' webhooks in the console.

What the pages do is done by ``notifications.webhooks.keeping``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from governance import clock
from governance.admin.agents import AgentAdmin, ReasonForm
from governance.console import ReadOnly, Undeletable, act_page, label, person
from governance.errors import Refused
from governance.text_safety import visible_line
from notifications.webhooks import keeping
from notifications.webhooks.forms import SinceForm, WebhookForm
from notifications.webhooks.log import WebhookMessageAdmin
from notifications.webhooks.models import Webhook, WebhookMessage

__all__ = ["WebhookAdmin", "WebhookMessageAdmin"]

HANDOVER = (
    "Give this secret to whoever runs the receiver now: with it they verify that a "
    "message is ours. It cannot be shown again."
)


def _number(state: str) -> Subquery:
    """Count a webhook's messages in a state, by an index that holds only those."""
    rows = WebhookMessage.objects.filter(webhook=OuterRef("pk"), state=state)
    return Subquery(
        rows.order_by().values("webhook").annotate(n=Count("pk")).values("n")
    )


def _last_sent() -> Subquery:
    rows = WebhookMessage.objects.filter(webhook=OuterRef("pk"), state="sent")
    return Subquery(rows.order_by("-pk").values("sent_at")[:1])


@admin.register(Webhook)
class WebhookAdmin(Undeletable, ModelAdmin):  # type: ignore[misc]
    form = WebhookForm
    list_display = ["agent", "where", "state", "on_the_way", "given_up", "last"]
    list_display_links = ["agent", "where"]
    list_filter = ["active", "agent"]
    list_select_related = ["agent"]
    search_fields = ["agent__name", "url"]
    show_full_result_count = False
    actions = None
    actions_detail = ["log", "send_test", "replay_failed", "rotate", "switch"]
    readonly_fields = ["state", "health", "created_at", "secrets"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        rows: QuerySet[Webhook] = super().get_queryset(request)
        return rows.annotate(
            waiting=_number("waiting"), failed=_number("failed"), told_at=_last_sent()
        )

    def get_fields(self, request: HttpRequest, obj: Webhook | None = None) -> list[str]:
        return ["agent", "url", *(self.readonly_fields if obj else ())]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Webhook | None = None
    ) -> list[str]:
        return [*self.readonly_fields, *(["agent"] if obj else ())]

    @admin.display(description="address", ordering="url")
    def where(self, webhook: Webhook) -> str:
        return visible_line(webhook.url)

    @admin.display(description="state", ordering="active")
    def state(self, webhook: Webhook) -> SafeString:
        if not webhook.active:
            return label("switched off", "danger")
        if webhook.failures:
            return label("failing", "warning")
        return label("working", "success")

    @admin.display(description="waiting", ordering="waiting")
    def on_the_way(self, webhook: Any) -> int:
        return int(webhook.waiting or 0)

    @admin.display(description="given up", ordering="failed")
    def given_up(self, webhook: Any) -> int:
        return int(webhook.failed or 0)

    @admin.display(description="last told", ordering="told_at", empty_value="never")
    def last(self, webhook: Any) -> datetime | None:
        told_at: datetime | None = webhook.told_at
        return told_at

    @admin.display(description="of late")
    def health(self, webhook: Webhook) -> str:
        if not webhook.active:
            return visible_line(webhook.disabled_reason)
        if not webhook.failures:
            return "Nothing has failed."
        rest = webhook.rests_until
        resting = f" It is left alone until {rest:%H:%M:%S} UTC." if rest else ""
        return f"Attempts failed in a row: {webhook.failures}.{resting}"

    @admin.display(description="signed with")
    def secrets(self, webhook: Webhook) -> str:
        until = webhook.former_until
        if until and until > clock.now():
            return f"two secrets, the former one until {until:%Y-%m-%d %H:%M} UTC"
        return "one secret"

    def has_change_webhook_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return person(request).has_perm(keeping.CHANGE)

    def has_view_webhook_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return bool(self.has_view_permission(request))

    def changeform_view(self, request: HttpRequest, *args: Any, **named: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **named)
        except Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return redirect(request.path)

    def save_model(
        self, request: HttpRequest, obj: Webhook, form: Any, change: bool
    ) -> None:
        author, url = person(request), form.cleaned_data["url"]
        if change:
            keeping.move(obj, url, author=author)
        else:
            made, secret = keeping.set_up(obj.agent, url, author=author)
            obj.pk, obj.plain = made.pk, secret  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._show(request, obj, obj.plain)

    def construct_change_message(self, *args: Any) -> list[Any]:
        return []

    def log_addition(self, *args: Any) -> None:
        """The ledger has it."""

    log_change = log_addition

    @action(description="Messages", icon="list", permissions=["view_webhook"])  # type: ignore[untyped-decorator]
    def log(self, request: HttpRequest, object_id: str) -> HttpResponse:
        found = self._webhook(request, object_id)
        page = reverse("admin:notifications_webhookmessage_changelist")
        return redirect(f"{page}?webhook__id__exact={found.pk}")

    @action(description="Test", icon="send", permissions=["change_webhook"])  # type: ignore[untyped-decorator]
    def send_test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        webhook = self._webhook(request, object_id)
        if request.method == "POST":
            return self._do(
                request,
                webhook,
                lambda: keeping.send_test(webhook, author=person(request)),
                "A test is on its way. What becomes of it is among the messages.",
            )
        return act_page(
            self,
            request,
            webhook,
            f"Send a test to {webhook.agent}",
            verb="Send the test",
            intro="A message of the type webhook.test, signed and sent like any other.",
        )

    @action(description="Replay", icon="replay", permissions=["change_webhook"])  # type: ignore[untyped-decorator]
    def replay_failed(self, request: HttpRequest, object_id: str) -> HttpResponse:
        webhook = self._webhook(request, object_id)
        form = SinceForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            since = clock.now() - form.cleaned_data["since"]
            return self._do(
                request,
                webhook,
                lambda: keeping.replay_failed(webhook, since, author=person(request)),
                "What failed is on its way again.",
            )
        return act_page(
            self,
            request,
            webhook,
            f"Replay what failed of {webhook.agent}",
            form=form,
            verb="Replay",
            intro="Every message keeps its id: a receiver that has it knows it again.",
        )

    @action(description="New secret", icon="key", permissions=["change_webhook"])  # type: ignore[untyped-decorator]
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the new secret on the page that answers the POST, and never again."""
        webhook = self._webhook(request, object_id)
        if request.method == "POST":
            try:
                secret = keeping.rotate(webhook, author=person(request))
            except Refused as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
                return self._back(webhook)
            return self._show(request, webhook, secret)
        return act_page(
            self,
            request,
            webhook,
            f"A new secret for {webhook.agent}",
            verb="Make a new secret",
            intro="For 24 hours messages are signed with both, so that the receiver can "
            "change over. A secret that was replaced before ends at once.",
        )

    @action(
        description="On or off",
        icon="power_settings_new",
        permissions=["change_webhook"],
    )  # type: ignore[untyped-decorator]
    def switch(self, request: HttpRequest, object_id: str) -> HttpResponse:
        webhook = self._webhook(request, object_id)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        author = person(request)
        if webhook.active and form.is_valid():
            reason = form.cleaned_data["reason"][:200]
            return self._do(
                request,
                webhook,
                lambda: keeping.switch_off(webhook, reason, author=author),
                "It is switched off.",
            )
        if not webhook.active and request.method == "POST":
            return self._do(
                request,
                webhook,
                lambda: keeping.switch_on(webhook, author=author),
                "It is switched on. What failed meanwhile can be replayed.",
            )
        return self._ask_switch(request, webhook, form)

    def _ask_switch(
        self, request: HttpRequest, webhook: Webhook, form: ReasonForm
    ) -> HttpResponse:
        off = webhook.active
        return act_page(
            self,
            request,
            webhook,
            f"Switch {'off' if off else 'on'} the webhook of {webhook.agent}",
            form=form if off else None,
            verb="Switch off" if off else "Switch on",
            danger=off,
            intro="Nothing more is sent there, and what waits is given up."
            if off
            else "What happens from now on is told there.",
        )

    def _do(
        self,
        request: HttpRequest,
        webhook: Webhook,
        act: Callable[[], Any],
        done: str,
    ) -> HttpResponse:
        try:
            act()
        except Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        else:
            self.message_user(request, done)
        return self._back(webhook)

    def _show(
        self, request: HttpRequest, webhook: Webhook, secret: str
    ) -> HttpResponse:
        response = act_page(
            self,
            request,
            webhook,
            f"The secret of {webhook.agent}'s webhook",
            key=secret,
            handover=HANDOVER,
        )
        add_never_cache_headers(response)
        return response

    def _webhook(self, request: HttpRequest, object_id: str) -> Webhook:
        webhook: Webhook | None = self.get_object(request, object_id)
        if webhook is None or not self.has_view_permission(request, webhook):
            raise Http404
        return webhook

    def _back(self, webhook: Webhook) -> HttpResponse:
        return redirect("admin:notifications_webhook_change", webhook.pk)


class WebhookInline(ReadOnly, TabularInline):  # type: ignore[misc]
    """On the page of the agent."""

    model = Webhook
    verbose_name_plural = "webhooks"
    fields = ["where", "working", "created_at"]
    readonly_fields = fields
    extra = 0
    hide_title = True

    @admin.display(description="address")
    def where(self, webhook: Webhook) -> SafeString:
        page = reverse("admin:notifications_webhook_change", args=[webhook.pk])
        return format_html(
            '<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>',
            page,
            visible_line(webhook.url),
        )

    @admin.display(description="")
    def working(self, webhook: Webhook) -> SafeString:
        if webhook.active:
            return label("on", "success")
        return label("switched off", "danger")


# The room below knows nothing of webhooks: its page takes in what this one adds.
AgentAdmin.inlines = [*AgentAdmin.inlines, WebhookInline]
