"""How does a group that is asked nothing get to look? Those who are asked need no help."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType

from approvals.models import VIEW, VIEW_ALL, ApprovalRequest


def grant_console(group: Group, *, everything: bool = False) -> None:
    """Let the members of a group open the console.

    They see what they were asked and what they decided; with ``everything`` all of it,
    as auditors do. It lets nobody decide: only a flow that names the group does.
    """
    names = [VIEW, VIEW_ALL] if everything else [VIEW]
    kind = ContentType.objects.get_for_model(ApprovalRequest)
    rights = Permission.objects.filter(content_type=kind, codename__in=names)
    group.permissions.add(*rights)
