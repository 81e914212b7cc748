"""What reached whom, for administrators; and everybody's own notifications."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin
from unfold.decorators import display

from governance.text_safety import visible_line
from notifications import announcements, bell, views
from notifications.models import CHANNELS, IN_APP, Delivery
from notifications.phrasing.admin import PhraseAdmin
from notifications.routing import views as preferences
from notifications.routing.admin import PlaceAdmin, RotaAdmin, RuleAdmin
from notifications.slack.pages import SlackAccountAdmin
from notifications.webhooks.admin import WebhookAdmin, WebhookMessageAdmin
from notifications.wording import headline

__all__ = [
    "DeliveryAdmin",
    "PhraseAdmin",
    "PlaceAdmin",
    "RotaAdmin",
    "RuleAdmin",
    "SlackAccountAdmin",
    "WebhookAdmin",
    "WebhookMessageAdmin",
]


@admin.register(Delivery)
class DeliveryAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = [
        "about",
        "what",
        "to",
        "by",
        "progress",
        "tries",
        "next",
        "error",
    ]
    list_filter = ["state", "channel"]
    list_select_related = ["event__action", "person", "place"]
    search_fields = ["person__username", "error"]
    show_full_result_count = False
    fields = [
        "about",
        "what",
        "to",
        "by",
        "progress",
        "tries",
        "next",
        "sent_at",
        "read_at",
        "error",
    ]

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any) -> bool:
        return False

    @admin.display(description="about")
    def about(self, delivery: Delivery) -> str:
        event = delivery.event
        if event.kind in announcements.ANNOUNCED:
            return announcements.matter(event)
        return visible_line(event.subject)

    @admin.display(description="message")
    def what(self, delivery: Delivery) -> str:
        return headline(delivery.event)

    @admin.display(description="to", ordering="person__username")
    def to(self, delivery: Delivery) -> str:
        return visible_line(delivery.reader)

    @admin.display(description="channel", ordering="channel")
    def by(self, delivery: Delivery) -> str:
        return CHANNELS.get(delivery.channel, delivery.channel)

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="state",
        label={"sent": "success", "waiting": "info", "failed": "danger"},
    )
    def progress(self, delivery: Delivery) -> tuple[str, str]:
        return delivery.state, delivery.get_state_display()

    @admin.display(description="attempts", ordering="attempts", empty_value="-")
    def tries(self, delivery: Delivery) -> str | None:
        if delivery.channel == IN_APP:
            return None
        return f"{delivery.attempts} of {Delivery.MAX_ATTEMPTS}"

    @admin.display(description="next attempt", empty_value="-")
    def next(self, delivery: Delivery) -> datetime | None:
        waiting = delivery.state == Delivery.State.WAITING
        return delivery.next_attempt_at if waiting else None

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("mine/", wrap(views.mine), name="notifications_delivery_mine"),
            path(
                "mine/unread/", wrap(bell.unread), name="notifications_delivery_unread"
            ),
            path(
                "mine/preferences/",
                wrap(preferences.mine),
                name="notifications_preference_mine",
            ),
            path("mine/read/", wrap(views.read), name="notifications_delivery_read"),
        ]
        # First, or the catch-all change view would swallow them.
        return [*own, *super().get_urls()]
