"""Who is meant by a name on the command line?"""

from __future__ import annotations

from django.core.management.base import CommandError

from governance.models import User


def author_named(username: str | None) -> User | None:
    if username is None:
        return None
    try:
        return User.objects.get(username=username)
    except User.DoesNotExist:
        raise CommandError(f"There is no user {username}.") from None
