"""Whom and what does a command name? Found, or said to be missing."""

from __future__ import annotations

from uuid import UUID

from django.core.management.base import CommandError

from approvals.models import ApprovalRequest
from approvals.services.review import find
from governance.models import User


def request(pk: str) -> ApprovalRequest:
    """Return what people are asked about this action."""
    try:
        found = find(UUID(pk))
    except ValueError:
        raise CommandError(f"{pk} is not an id of an action.", returncode=2) from None
    if found is None:
        words = f"Nobody is asked about {pk}: no such action waits."
        raise CommandError(words, returncode=2)
    return found


def person(username: str) -> User:
    try:
        return User.objects.get(username=username)
    except User.DoesNotExist:
        words = f"There is no user named {username}."
        raise CommandError(words, returncode=2) from None
