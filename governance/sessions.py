"""Who came in, who tried to, and who left? On record from Django's own signals."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import (
    user_logged_in,
    user_logged_out,
    user_login_failed,
)
from django.db import transaction
from django.http import HttpRequest

from governance import clock, ledger
from governance.ledger import Actor, Kind
from governance.models import User

NOBODY = Actor("visitor")


def watch() -> None:
    """Connect to the framework's one hook. Called once, when the app is ready."""
    user_logged_in.connect(logged_in, dispatch_uid="countersign_logged_in")
    user_login_failed.connect(login_failed, dispatch_uid="countersign_login_failed")
    user_logged_out.connect(logged_out, dispatch_uid="countersign_logged_out")


def logged_in(
    sender: Any, request: HttpRequest | None, user: User, **extra: Any
) -> None:
    _record(Kind.LOGGED_IN, Actor.person(user), user.get_username(), request)


def logged_out(
    sender: Any, request: HttpRequest | None, user: User | None, **extra: Any
) -> None:
    if user is not None:
        _record(Kind.LOGGED_OUT, Actor.person(user), user.get_username(), request)


def login_failed(
    sender: Any,
    credentials: dict[str, Any],
    request: HttpRequest | None = None,
    **extra: Any,
) -> None:
    """Name the account that was tried, if there is one.

    What else was typed stays off the record: people type passwords into that field.
    """
    tried = str(credentials.get(User.USERNAME_FIELD) or "")
    known = User.objects.filter(username=tried).exists() if "\0" not in tried else False
    _record(Kind.LOGIN_FAILED, NOBODY, tried if known else "", request)


@transaction.atomic
def _record(
    kind: Kind, actor: Actor, username: str, request: HttpRequest | None
) -> None:
    ledger.record(
        kind,
        at=clock.now(),
        actor=actor,
        stream=f"user:{username}"[:120] if username else "auth",
        username=username or None,
        address=request.META.get("REMOTE_ADDR") if request else None,
    )
