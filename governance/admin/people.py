"""Who may log in, in which groups? Nobody gives rights to themselves here.

A person is locked and written before their groups, in one transaction: deciding takes
the same lock (see ``governance.people``).
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group
from django.db import transaction
from django.forms import BaseModelForm, ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from governance import people
from governance.console import Undeletable, person
from governance.models import User

RIGHTS = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")
# What only a superuser may hand out: any of these opens every door.
KEYS_TO_THE_HOUSE = ("is_superuser", "user_permissions")

admin.site.unregister(Group)


def searchable(field: ModelMultipleChoiceField[Any] | None) -> Any:
    """Let people search for what they add: a list of permissions is long."""
    assert field
    field.widget = UnfoldAdminSelect2MultipleWidget(choices=field.choices)
    field.help_text = ""
    return field


@admin.register(User)
class UserAdmin(Undeletable, auth_admin.UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "full_name", "email", "group_names", "is_active"]
    list_filter = ["is_active", "is_staff", "is_superuser", "groups"]
    filter_horizontal = []
    readonly_fields = ["last_login", "date_joined"]
    actions = None
    add_fieldsets = [
        (
            None,
            {"fields": ["username", "usable_password", "password1", "password2"]},
        ),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        ("May", {"fields": ["is_staff", "groups"]}),
    ]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        (
            "May",
            {
                "fields": list(RIGHTS),
                "description": "Groups decide what people are asked to approve. "
                "Nobody changes these for themselves: ask another administrator.",
            },
        ),
        ("Seen", {"fields": ["last_login", "date_joined"]}),
    ]

    def formfield_for_manytomany(self, *args: Any, **options: Any) -> Any:
        return searchable(super().formfield_for_manytomany(*args, **options))

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description="name")
    def full_name(self, user: User) -> str:
        return user.get_full_name() or "-"

    @admin.display(description="groups")
    def group_names(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all()) or "-"

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        # Whoever is added here is meant to use the console.
        return {"is_staff": True, **super().get_changeform_initial_data(request)}

    def get_readonly_fields(
        self, request: HttpRequest, obj: User | None = None
    ) -> list[str]:
        fields = list(super().get_readonly_fields(request, obj))
        if obj == request.user:
            fields += RIGHTS
        elif not person(request).is_superuser:
            fields += KEYS_TO_THE_HOUSE
        return fields

    def has_change_permission(
        self, request: HttpRequest, obj: User | None = None
    ) -> bool:
        """A superuser's password opens everything: it is for superusers to set."""
        above = obj and obj.is_superuser and not person(request).is_superuser
        return not above and super().has_change_permission(request, obj)

    def save_model(
        self, request: HttpRequest, obj: User, form: Any, change: bool
    ) -> None:
        if change:
            people.lock(obj)
        form.before = people.describe(obj) if change else None
        super().save_model(request, obj, form, change)

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        people.record_user(form.instance, form.before, person(request))

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        with transaction.atomic():
            before = self.get_object(request, id)
            response = super().user_change_password(request, id, form_url)
            after = self.get_object(request, id)
            if before and after and before.password != after.password:
                people.record_password(after, person(request))
        return response


@admin.register(Group)
class GroupAdmin(auth_admin.GroupAdmin, ModelAdmin):  # type: ignore[misc]
    list_display = ["name", "members"]
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

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        return ["name", "members", "permissions"] if obj else ["name", "permissions"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Group | None = None
    ) -> list[str]:
        """A name identifies the group in flows and policy files: it stays."""
        if obj is None:
            return []
        own = person(request).groups.filter(pk=obj.pk).exists()
        return ["name", "members", "permissions"] if own else ["name", "members"]

    def has_delete_permission(
        self, request: HttpRequest, obj: Group | None = None
    ) -> bool:
        """Only what nobody is in and no flow asks: rights never vanish unseen."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and obj is not None and not people.is_needed(obj)

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
