"""How are people put into groups and given roles? The fields and forms of their pages."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.forms import ModelMultipleChoiceField
from unfold.forms import UserChangeForm, UserCreationForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelect2MultipleWidget,
)

from governance import roles
from governance.models import User


def searchable(field: ModelMultipleChoiceField[Any] | None) -> Any:
    """Let people search for what they add: a list of permissions is long."""
    assert field
    field.widget = UnfoldAdminSelect2MultipleWidget(choices=field.choices)
    field.help_text = ""
    return field


class RolesField(ModelMultipleChoiceField):  # type: ignore[type-arg]
    """The roles, each with what it is for."""

    def label_from_instance(self, group: Any) -> str:
        name = group.name.removeprefix("Role: ").capitalize()
        return f"{name}: {roles.sentences()[group.name]}"


class WithRoles:
    """Roles are ticked, the other groups are searched for. Both are groups."""

    # Whoever looks at the form: they hand out no more than they may.
    editor: User

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        form: Any = self
        held = form.instance.groups.all() if form.instance.pk else Group.objects.none()
        form.fields["roles"].queryset = roles.assignable(self.editor).filter(
            name__in=roles.sentences()
        )
        form.initial["roles"] = list(held.filter(name__in=roles.sentences()))

    def clean(self) -> Any:
        cleaned: Any = super().clean()  # type: ignore[misc]
        cleaned = self.cleaned_data if cleaned is None else cleaned  # type: ignore[attr-defined]
        chosen = [*cleaned.get("groups", ()), *cleaned.get("roles", ())]
        cleaned["groups"] = Group.objects.filter(pk__in=[each.pk for each in chosen])
        return cleaned


def roles_field() -> RolesField:
    return RolesField(
        Group.objects.none(),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="What this person may open. Nobody is asked to decide for a role.",
    )


class PersonForm(WithRoles, UserChangeForm):  # type: ignore[misc]
    roles = roles_field()


class NewPersonForm(WithRoles, UserCreationForm):  # type: ignore[misc]
    roles = roles_field()
