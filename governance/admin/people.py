"""Who may log in, in which groups? Nobody gives rights to themselves here.

A person is locked and written before their groups, in one transaction: deciding takes
the same lock (see ``governance.people``).
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm

from governance import people, roles
from governance.admin.people_forms import (
    NewPersonForm,
    PersonForm,
    WithRoles,
    searchable,
)
from governance.console import Undeletable, person
from governance.models import User

RIGHTS = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")
# What only a superuser may hand out: any of these opens every door.
KEYS_TO_THE_HOUSE = ("is_superuser", "user_permissions")
GROUPS_HELP = "They decide what this person is asked to approve."


@admin.register(User)
class UserAdmin(Undeletable, auth_admin.UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = PersonForm
    add_form = NewPersonForm
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
        ("May", {"fields": ["is_staff", "roles", "groups"]}),
    ]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["first_name", "last_name", "email"]}),
        (
            "May",
            {
                "fields": [
                    "is_active",
                    "is_staff",
                    "is_superuser",
                    "roles",
                    "groups",
                    "user_permissions",
                ],
                "description": "Nobody changes these for themselves: ask another "
                "administrator.",
            },
        ),
        ("Seen", {"fields": ["last_login", "date_joined"]}),
    ]

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **options: Any
    ) -> Any:
        if db_field.name == "groups":
            others = roles.assignable(person(request))
            options["queryset"] = others.exclude(name__in=roles.sentences())
        found = super().formfield_for_manytomany(db_field, request, **options)
        field = searchable(found)
        if db_field.name == "groups":
            field.help_text = GROUPS_HELP
        return field

    def get_form(
        self,
        request: HttpRequest,
        obj: User | None = None,
        change: bool = False,
        **options: Any,
    ) -> Any:
        """On their own page people find no roles to tick, whatever they send."""
        if obj == request.user:
            options["form"] = UserChangeForm
        form = super().get_form(request, obj, change=change, **options)
        if not issubclass(form, WithRoles):
            return form
        return type(form.__name__, (form,), {"editor": person(request)})

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Leave out the roles where there is nothing to tick: groups name them, too."""
        found = super().get_fieldsets(request, obj)
        if obj is None or self._may_edit_rights(request, obj):
            return found
        return [
            (
                title,
                {**options, "fields": [f for f in options["fields"] if f != "roles"]},
            )
            for title, options in found
        ]

    def _may_edit_rights(self, request: HttpRequest, obj: User) -> bool:
        return obj != request.user and self.has_change_permission(request, obj)

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
        """Whoever sets a password could log in as its owner: nobody rises that way."""
        above = obj is not None and roles.outranks(obj, person(request))
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
