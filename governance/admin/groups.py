"""Which groups are there, and what are they for? Flows ask some, others are roles."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group
from django.forms import BaseModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from governance import people, roles
from governance.admin.people_forms import searchable
from governance.console import person

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(auth_admin.GroupAdmin, ModelAdmin):  # type: ignore[misc]
    list_display = ["name", "purpose", "members"]
    search_fields = ["name"]
    ordering = ["name"]
    filter_horizontal = []
    actions = None

    def formfield_for_manytomany(self, *args: Any, **options: Any) -> Any:
        return searchable(super().formfield_for_manytomany(*args, **options))

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("user_set")

    @admin.display(description="members")
    def members(self, group: Group) -> str:
        names = sorted(str(user) for user in group.user_set.all())
        return ", ".join(names) or "nobody yet"

    @admin.display(description="what it is for")
    def purpose(self, group: Group) -> str:
        return roles.sentences().get(group.name, "For flows to ask.")

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        if obj is None:
            return ["name", "permissions"] if self._may_assign(request) else ["name"]
        return ["name", "purpose", "members", "permissions"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Group | None = None
    ) -> list[str]:
        """A name identifies the group in flows and policy files: it stays."""
        if obj is None:
            return []
        fixed = ["name", "purpose", "members"]
        own = person(request).groups.filter(pk=obj.pk).exists()
        may = self._may_assign(request) and not own
        return fixed if may else [*fixed, "permissions"]

    def _may_assign(self, request: HttpRequest) -> bool:
        return roles.may_assign(person(request))

    def has_change_permission(
        self, request: HttpRequest, obj: Group | None = None
    ) -> bool:
        """A role is the same everywhere. For something else there are other groups."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and not (obj and roles.is_role(obj))

    def has_delete_permission(
        self, request: HttpRequest, obj: Group | None = None
    ) -> bool:
        """Only what nobody is in and no flow asks: rights never vanish unseen."""
        allowed = super().has_delete_permission(request, obj)
        if not allowed or obj is None or roles.is_role(obj):
            return False
        return not people.is_needed(obj)

    def save_model(
        self,
        request: HttpRequest,
        obj: Group,
        form: BaseModelForm[Group],
        change: bool,
    ) -> None:
        form.before = people.describe_group(obj) if change else None  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        people.record_group(form.instance, form.before, person(request))

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        name, before = obj.name, people.describe_group(obj)
        super().delete_model(request, obj)
        people.record_group_gone(name, before, person(request))
