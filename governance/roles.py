"""Which groups are roles, and who may hand them out?

A role is a group whose permissions are the product's own: the same in every
installation, and for nobody to edit. ``settings.ROLES`` says which there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q, QuerySet

from governance import people
from governance.models import User

ASSIGN = "governance.assign_roles"


class Role(NamedTuple):
    """A group's name, what it is for in a sentence, and what it may."""

    name: str
    sentence: str
    permissions: tuple[str, ...]


def known() -> list[Role]:
    return [Role(*each) for each in settings.ROLES]


def sentences() -> dict[str, str]:
    """Return what each role is for, by the name of its group."""
    return {role.name: role.sentence for role in known()}


def is_role(group: Group) -> bool:
    return group.name in sentences()


@transaction.atomic
def make() -> list[str]:
    """Make every role, with exactly the permissions it has. Return what changed.

    What is as it should be is left alone: run it on every start.
    """
    return [role.name for role in known() if _make(role)]


def _make(role: Role) -> bool:
    group, created = Group.objects.get_or_create(name=role.name)
    before = None if created else people.describe_group(group)
    if before and before["permissions"] == sorted(role.permissions):
        return False
    group.permissions.set(_permissions(role.permissions))
    people.record_group(group, before, None)
    return True


def _permissions(names: Iterable[str]) -> list[Permission]:
    """Raises Permission.DoesNotExist: a role never lacks quietly what it needs."""
    split = (name.split(".") for name in names)
    return [
        Permission.objects.get(content_type__app_label=app, codename=codename)
        for app, codename in split
    ]


# Nobody hands out more than they have, except administrators.


def may_assign(user: User) -> bool:
    return user.has_perm(ASSIGN)


def assignable(user: User) -> QuerySet[Group]:
    """Return the groups that this person may put somebody into."""
    groups = Group.objects.order_by("name")
    if may_assign(user):
        return groups
    beyond = Permission.objects.exclude(pk__in=_held(user).values("pk"))
    return groups.exclude(permissions__in=beyond)


def outranks(other: User, user: User) -> bool:
    """Whether somebody may what this person may not: then their page is not to edit.

    Whoever sets a password can log in as its owner.
    """
    if user.is_superuser:
        return False
    if other.is_superuser:
        return True
    if may_assign(user):
        return False
    return _held(other).exclude(pk__in=_held(user).values("pk")).exists()


def _held(user: User) -> QuerySet[Permission]:
    """Also of those who are switched off: somebody may switch them on again."""
    return Permission.objects.filter(Q(user=user) | Q(group__user=user))
