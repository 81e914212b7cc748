"""Agents and their keys. Everything that changes goes through ``governance.services``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from governance import services
from governance.clock import WallClock
from governance.console import ReadOnly, Undeletable, act_page, label, person
from governance.models import Agent, AgentKey

LIFETIMES = [
    ("", "Until it is revoked"),
    ("1", "1 day"),
    ("7", "7 days"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "1 year"),
]


class TagsField(forms.CharField):
    """A list of words, written with commas between them."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        tags = [tag.strip() for tag in str(value or "").split(",")]
        return list(dict.fromkeys(tag for tag in tags if tag))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(self.prepare_value(initial)) != self.to_python(data))


class AgentForm(forms.ModelForm):  # type: ignore[type-arg]
    tags = TagsField(
        required=False, help_text="For conditions: agent.tags. E.g. support, eu"
    )


class KeyForm(forms.Form):
    lifetime = forms.TypedChoiceField(
        label="It works",
        required=False,
        choices=LIFETIMES,
        coerce=lambda days: timedelta(days=int(days)),
        empty_value=None,
        widget=UnfoldAdminSelectWidget,
    )


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Why",
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text="It goes on record.",
    )


class KeyInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = AgentKey
    verbose_name_plural = "keys"
    fields = ["key", "state", "created_at", "created_by", "expires_at", "last_used_at"]
    readonly_fields = fields
    extra = 0
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[AgentKey]:
        keys: QuerySet[AgentKey] = super().get_queryset(request)
        live = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=WallClock()))
        return keys.select_related("created_by", "agent").annotate(live=live)

    @admin.display(description="key")
    def key(self, key: AgentKey) -> str:
        return str(key)

    @admin.display(description="")
    def state(self, key: Any) -> SafeString:
        if key.revoked_at:
            return label("revoked")
        if not key.live:
            return label("expired")
        revoke = reverse("admin:governance_agent_revoke", args=[key.agent_id, key.pk])
        return format_html(
            '{} <a class="ml-2 text-red-600 dark:text-red-500" href="{}">Revoke</a>',
            label("live", "success"),
            revoke,
        )


@admin.register(Agent)
class AgentAdmin(Undeletable, ModelAdmin):  # type: ignore[misc]
    form = AgentForm
    list_display = [
        "name",
        "state",
        "owner",
        "environment",
        "tag_list",
        "live_keys",
        "last_used",
    ]
    list_filter = ["suspended", "environment"]
    list_select_related = ["owner"]
    search_fields = ["name", "description", "owner__username"]
    fields = ["name", "description", "owner", "environment", "tags"]
    inlines = [KeyInline]
    actions = None
    actions_detail = ["issue_key", "suspend", "resume"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        agents: QuerySet[Agent] = super().get_queryset(request)
        live = Q(keys__expires_at=None) | Q(keys__expires_at__gt=WallClock())
        return agents.annotate(
            live=Count("keys", Q(keys__isnull=False, keys__revoked_at=None) & live),
            used_at=Max("keys__last_used_at"),
        )

    @admin.display(description="state", ordering="suspended")
    def state(self, agent: Agent) -> SafeString:
        if agent.suspended:
            return label("suspended", "danger")
        return label("working", "success")

    @admin.display(description="tags")
    def tag_list(self, agent: Agent) -> str:
        return ", ".join(map(str, agent.tags)) or "-"

    @admin.display(description="live keys", ordering="live")
    def live_keys(self, agent: Any) -> int:
        return int(agent.live)

    @admin.display(description="last used", ordering="used_at", empty_value="never")
    def last_used(self, agent: Any) -> Any:
        return agent.used_at

    def get_readonly_fields(
        self, request: HttpRequest, obj: Agent | None = None
    ) -> list[str]:
        """The name stays, and an owner cannot hand the agent over themselves."""
        if obj is None:
            return []
        return ["name", "owner"] if obj.owner_id == person(request).pk else ["name"]

    def get_inlines(self, request: HttpRequest, obj: Agent | None) -> list[Any]:
        return list(self.inlines) if obj else []

    def save_model(
        self, request: HttpRequest, obj: Agent, form: Any, change: bool
    ) -> None:
        wanted = form.cleaned_data
        if change:
            services.edit_agent(obj, author=person(request), **wanted)
        else:
            obj.pk = services.create_agent(**wanted, author=person(request)).pk

    def save_related(self, *args: Any) -> None:
        """Keys have pages of their own."""

    def construct_change_message(self, *args: Any) -> list[Any]:
        return []

    def has_issue_key_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return person(request).has_perm("governance.add_agentkey")

    def has_suspend_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return person(request).has_perm("governance.suspend_agent")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Offer to suspend what works, and to resume what does not."""
        agent = self.get_object(request, object_id)
        useless = "suspend" if agent and agent.suspended else "resume"
        actions = super().get_actions_detail(request, object_id)
        return [each for each in actions if each.path != useless]

    def get_urls(self) -> list[URLPattern]:
        revoke = path(
            "<int:object_id>/keys/<int:key_id>/revoke/",
            self.admin_site.admin_view(self.revoke_view),
            name="governance_agent_revoke",
        )
        # First, or the catch-all change view would swallow it.
        return [revoke, *super().get_urls()]

    @action(description="Issue a key", icon="key", permissions=["issue_key"])  # type: ignore[untyped-decorator]
    def issue_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the new key on the page that answers the POST, and never again."""
        agent = self._agent(request, object_id)
        form = KeyForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            lifetime = form.cleaned_data["lifetime"]
            key = services.issue_key(agent, author=person(request), lifetime=lifetime)
            response = act_page(
                self, request, agent, f"The new key of {agent}", key=key
            )
            add_never_cache_headers(response)
            return response
        return act_page(
            self,
            request,
            agent,
            f"Issue a key for {agent}",
            form=form,
            verb="Issue the key",
            intro="The key is shown once, on the next page. Earlier keys go on working: "
            "revoke them when the agent uses the new one.",
        )

    def revoke_view(
        self, request: HttpRequest, object_id: int, key_id: int
    ) -> HttpResponse:
        if not person(request).has_perm("governance.change_agentkey"):
            raise PermissionDenied
        agent = get_object_or_404(Agent, pk=object_id)
        key = get_object_or_404(AgentKey, pk=key_id, agent=agent)
        if request.method == "POST":
            services.revoke_key(key, author=person(request))
            self.message_user(request, f"The key {key} no longer works.")
            return self._back(key.agent)
        return act_page(
            self,
            request,
            key.agent,
            f"Revoke the key {key}",
            verb="Revoke the key",
            danger=True,
            intro=f"The very next call of {key.agent} with this key will be refused. "
            "This cannot be undone.",
        )

    @action(
        description="Suspend",
        icon="pause_circle",
        permissions=["suspend"],
        variant=ActionVariant.DANGER,
    )  # type: ignore[untyped-decorator]
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._switch(
            request,
            object_id,
            services.suspend,
            verb="Suspend",
            done="is suspended: its next call will be refused",
            intro="Its very next call is refused, also for what was approved before.",
        )

    @action(
        description="Resume",
        icon="play_circle",
        permissions=["suspend"],
        variant=ActionVariant.PRIMARY,
    )  # type: ignore[untyped-decorator]
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._switch(
            request,
            object_id,
            services.resume,
            verb="Resume",
            done="may work again",
            intro="Its keys work again at once, and so do unused approvals.",
        )

    def _switch(
        self,
        request: HttpRequest,
        object_id: str,
        switch: Callable[..., None],
        *,
        verb: str,
        done: str,
        intro: str,
    ) -> HttpResponse:
        agent = self._agent(request, object_id)
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            switch(agent, author=person(request), reason=form.cleaned_data["reason"])
            self.message_user(request, f"{agent} {done}.")
            return self._back(agent)
        return act_page(
            self,
            request,
            agent,
            f"{verb} {agent}",
            form=form,
            verb=verb,
            danger=verb == "Suspend",
            intro=intro,
        )

    def _agent(self, request: HttpRequest, object_id: str) -> Agent:
        agent: Agent | None = self.get_object(request, object_id)
        if agent is None or not self.has_view_permission(request, agent):
            raise Http404
        return agent

    def _back(self, agent: Agent) -> HttpResponse:
        return redirect("admin:governance_agent_change", agent.pk)
