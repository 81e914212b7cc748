"""Who in Slack speaks for whom: one page to look at it, to confirm it and to end it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from governance.console import ReadOnly, person
from governance.errors import Refused
from governance.models import User
from notifications.models import SLACK, SlackAccount
from notifications.routing.addresses import is_set_up
from notifications.slack import accounts
from notifications.slack.identity import Identity, look_up

PAGE = "admin:notifications_slackaccount_changelist"
MOST_ROWS = 500


@admin.register(SlackAccount)
class SlackAccountAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """Everybody finds their own account; who may see people, those of all others."""

    def has_view_permission(self, request: HttpRequest, *args: Any) -> bool:
        return request.user.is_authenticated

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_set_up(SLACK) and self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[SlackAccount]:
        rows = SlackAccount.objects.select_related("person").order_by(
            "person__username"
        )
        me = person(request)
        return rows if _sees_all(me) else rows.filter(person=me)

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "notifications_slackaccount"
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path("link/<str:token>/", wrap(self.link_view), name=f"{name}_link"),
            path(
                "<int:object_id>/unlink/", wrap(self.unlink_view), name=f"{name}_unlink"
            ),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        me, rows = person(request), self.get_queryset(request)
        return self._page(
            request,
            "Slack",
            "notifications/slack.html",
            mine=rows.filter(person=me).first(),
            others=rows.exclude(person=me)[:MOST_ROWS],
            sees_all=_sees_all(me),
            may_unlink=_may_unlink_others(me),
            is_set_up=is_set_up(SLACK),
        )

    def link_view(self, request: HttpRequest, token: str) -> HttpResponse:
        """Show whom in Slack a link is about; link that account when it is confirmed."""
        try:
            invitation = accounts.read(token)
            identity = look_up(invitation.user)
            if request.method == "POST":
                accounts.link(person(request), invitation, identity)
        except Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return redirect(PAGE)
        if request.method != "POST":
            return self._confirmation(request, identity)
        said = f"{identity.name} decides in Slack as you from now on."
        self.message_user(request, said, messages.SUCCESS)
        return redirect(PAGE)

    def _confirmation(self, request: HttpRequest, identity: Identity) -> HttpResponse:
        email = person(request).email.lower()
        return self._page(
            request,
            "Link your account in Slack",
            "notifications/slack_link.html",
            identity=identity,
            differs=bool(identity.email) and identity.email.lower() != email,
            me=person(request),
        )

    def unlink_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        account = get_object_or_404(self.get_queryset(request), pk=object_id)
        me = person(request)
        if account.person != me and not _may_unlink_others(me):
            raise PermissionDenied
        accounts.unlink(account, me)
        said = f"Nobody in Slack decides as {account.person.get_username()} any more."
        self.message_user(request, said, messages.SUCCESS)
        return redirect(PAGE)

    def _page(
        self, request: HttpRequest, title: str, template: str, **context: Any
    ) -> TemplateResponse:
        shared = self.admin_site.each_context(request)
        said = {**shared, "title": title, "opts": self.opts, "media": self.media}
        return TemplateResponse(request, template, {**said, **context})


def _sees_all(user: User) -> bool:
    return user.has_perm("governance.view_user")


def _may_unlink_others(user: User) -> bool:
    return user.has_perm("governance.change_user")
