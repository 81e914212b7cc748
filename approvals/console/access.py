"""Who may open the console? Whoever holds the permission, or is in a group it is for.

An administrator who puts a person into a group has done enough: nothing else has to be
ticked before that person can decide.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef
from django.http import HttpRequest

from approvals.figures.selecting import EVERYTHING, Scope
from approvals.models import (
    VIEW,
    VIEW_ALL,
    ApprovalRequest,
    RequestUserPermission,
    keep_desk,
)
from governance.models import User
from policies.models import FlowStage

_REMEMBERED = "_countersign_may_open"


def person(request: HttpRequest) -> User:
    """Return who is logged in. The admin lets nobody else get this far."""
    user = request.user
    assert isinstance(user, User)
    keep_desk(user)
    return user


def may_open(request: HttpRequest) -> bool:
    """Whether the console is there for this person. Asked once per page."""
    if not hasattr(request, _REMEMBERED):
        user = request.user
        allowed = isinstance(user, User) and user.is_active and user.is_staff
        setattr(request, _REMEMBERED, allowed and _is_concerned(person(request)))
    remembered: bool = getattr(request, _REMEMBERED)
    return remembered


def is_asked(user: User) -> bool:
    """Whether any flow, or any request so far, names one of this person's groups.

    Or whether they have ever been asked to stand in for somebody.
    """
    asked = Exists(ApprovalRequest.asked.through.objects.filter(group=OuterRef("pk")))
    named = Exists(FlowStage.groups.through.objects.filter(group=OuterRef("pk")))
    further = Exists(FlowStage.escalate_to.through.objects.filter(group=OuterRef("pk")))
    passed_on = Exists(
        FlowStage.reassign_to.through.objects.filter(group=OuterRef("pk"))
    )
    groups: bool = user.groups.filter(asked | named | further | passed_on).exists()
    own = RequestUserPermission.objects.filter(user=user)
    return groups or own.exists() or user.stands_in.exists()


def sees_everything(user: User) -> bool:
    return user.has_perm(f"approvals.{VIEW_ALL}")


def scope_of(user: User) -> Scope:
    """Return whose figures this person sees: all, or those of their own groups."""
    if sees_everything(user):
        return EVERYTHING
    return Scope(frozenset(user.groups.values_list("pk", flat=True)))


def _is_concerned(user: User) -> bool:
    allowed = user.has_perm(f"approvals.{VIEW}") or sees_everything(user)
    return allowed or is_asked(user)
