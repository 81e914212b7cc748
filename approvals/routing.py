"""Who may decide a request? Whoever holds the permission on it: routing is granting.

When a stage opens, its groups are granted the permission to decide that request; when
it closes, the grant is withdrawn. A person's queue is one query on those rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q

from approvals.models import (
    DECIDE,
    ApprovalRequest,
    Delegation,
    RequestGroupPermission,
    RequestUserPermission,
    Stage,
)
from governance.models import User


def permission() -> Permission:
    """Return the permission that routes: to decide one request."""
    content_type = ContentType.objects.get_for_model(ApprovalRequest)
    return Permission.objects.get(content_type=content_type, codename=DECIDE)


def route(request: ApprovalRequest, stages: Sequence[Stage]) -> None:
    """Make the grants on this request exactly the groups of its open stages."""
    wanted = {g["id"] for stage in stages if stage.is_open() for g in stage.groups}
    rows = RequestGroupPermission.objects.filter(content_object=request)
    granted = set(rows.values_list("group_id", flat=True))
    rows.filter(group_id__in=granted - wanted).delete()
    if not wanted - granted:
        return
    named = {group["id"] for stage in stages for group in stage.groups}
    groups = list(Group.objects.filter(pk__in=named))
    missing = [group for group in groups if group.pk in wanted - granted]
    if missing:
        request.asked.add(*groups)
        decide = permission()
        RequestGroupPermission.objects.bulk_create(
            RequestGroupPermission(
                content_object=request, group=group, permission=decide
            )
            for group in missing
        )


def granted(people: Iterable[int], request: ApprovalRequest) -> set[int]:
    """Return who of these holds the right on this request, here and now.

    Asked of the rows, not of ``has_perm``: to that, a superuser may do anything.
    """
    groups = RequestGroupPermission.objects.filter(content_object=request)
    own = RequestUserPermission.objects.filter(content_object=request)
    held = Q(groups__in=groups.values("group")) | Q(pk__in=own.values("user"))
    active = User.objects.filter(pk__in=people, is_active=True)
    return set(active.filter(held).values_list("pk", flat=True))


def seats(person: User, at: datetime) -> list[int]:
    """Return whose right to decide this person may use, by key: their own first."""
    return [seat.holder for seat in Delegation.objects.seats_of(person.pk, at)]


def members(stages: Sequence[Stage], owner: User | None) -> dict[int, set[int]]:
    """Return for each stage, by its key, the people who may approve there."""
    people = able(stages, owner)
    return {stage.pk: who for stage, who in zip(stages, people, strict=True)}


def able(stages: Sequence[Stage], owner: User | None) -> list[set[int]]:
    """Return for each stage the active members of its groups, never the agent's owner."""
    groups = {group["id"] for stage in stages for group in stage.groups}
    people: dict[int, set[int]] = {group: set() for group in groups}
    rows = User.groups.through.objects.filter(group__in=groups, user__is_active=True)
    for group, person in rows.values_list("group_id", "user_id"):
        people[group].add(person)
    never = {owner.pk} if owner else set()
    return [
        set().union(*(people[group["id"]] for group in stage.groups)) - never
        for stage in stages
    ]
