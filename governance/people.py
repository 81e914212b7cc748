"""What changed about a person or a group? Put on record, old and new.

Rights follow from these rows, so whoever changes one locks the person first: deciding
takes the same lock, and no vote commits after the change that took its right away.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission

from governance import clock, ledger
from governance.ledger import Kind
from governance.models import User
from governance.services import by

FIELDS = (
    "username",
    "first_name",
    "last_name",
    "email",
    "is_active",
    "is_staff",
    "is_superuser",
)
Description = dict[str, Any]


def lock(user: User) -> None:
    """Wait for whoever is deciding as this person right now, and keep others out."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def describe(user: User) -> Description:
    """Return what is on record about a person, read anew. Passwords never are."""
    row = User.objects.prefetch_related("groups").get(pk=user.pk)
    return {
        **{name: getattr(row, name) for name in FIELDS},
        "groups": sorted(group.name for group in row.groups.all()),
        "permissions": _names(Permission.objects.filter(user=row)),
    }


def describe_group(group: Group) -> Description:
    row = Group.objects.get(pk=group.pk)
    return {
        "name": row.name,
        "permissions": _names(Permission.objects.filter(group=row)),
    }


def _names(permissions: Any) -> list[str]:
    found = permissions.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{codename}" for app, codename in found)


def record_user(user: User, before: Description | None, author: User) -> None:
    """Put on record what changed since ``before``; nothing if nothing did."""
    _record(f"user:{user.get_username()}", before, describe(user), author)


def record_group(group: Group, before: Description | None, author: User | None) -> None:
    _record(f"group:{group.name}", before, describe_group(group), author)


def record_group_gone(name: str, before: Description, author: User) -> None:
    _record(f"group:{name}", before, {}, author)


def record_password(user: User, author: User) -> None:
    """That it changed, and who changed it. Never what it was or is."""
    _put(f"user:{user.get_username()}", author, changes={"password": "changed"})


def _record(
    stream: str, before: Description | None, after: Description, author: User | None
) -> None:
    old = before or {}
    changes = {
        name: {"old": old.get(name), "new": after.get(name)}
        for name in {**old, **after}
        if old.get(name) != after.get(name)
    }
    if changes:
        _put(stream, author, created=before is None, removed=not after, changes=changes)


def _put(stream: str, author: User | None, **data: Any) -> None:
    ledger.record(
        Kind.USER_CHANGED, at=clock.now(), actor=by(author), stream=stream[:120], **data
    )


def is_needed(group: Group) -> bool:
    """Whether anything, known to this app or not, still refers to a group."""
    links = [
        field
        for field in Group._meta.get_fields(include_hidden=True)
        if field.auto_created and not field.concrete and field.one_to_many
    ]
    return any(
        link.related_model._default_manager.filter(**{link.field.name: group}).exists()  # type: ignore[union-attr]
        for link in links
        if link.related_model is not Group.permissions.through
    )
