"""Who is who in Slack, and how does that change? Only by the person, logged in.

A link leads from Slack to the console. It says whose account in Slack is meant, proves
that Slack has said so, is good for ten minutes and for one use, and opens no door:
whoever follows it has to be logged in, and to confirm what they see.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse

from governance import clock, ledger
from governance.errors import Refused
from governance.ledger import Actor, Kind
from governance.models import User
from notifications.models import SlackAccount, Spent
from notifications.slack.identity import Identity

SALT = "countersign.slack.link"
GOOD_FOR = timedelta(minutes=10)


class LinkSpent(Refused):
    code = "link_spent"
    status = 410

    def __init__(self) -> None:
        super().__init__(
            "This link is used up, or too old. Press the button in Slack again."
        )


class LinkedElsewhere(Refused):
    code = "linked_elsewhere"


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whose account in Slack may be linked, and by which link."""

    team: str
    user: str
    key: str


def invite(team: str, user: str) -> str:
    """Return the address that lets whoever is logged in say: this is me."""
    said = [team, user, secrets.token_urlsafe(16), clock.now().timestamp()]
    token = signing.dumps(said, salt=SALT)
    path = reverse("admin:notifications_slackaccount_link", args=[token])
    return f"{settings.PUBLIC_URL}{path}"


def read(token: str) -> Invitation:
    """Return what a link says. Raises ``LinkSpent``. Reading does not use it up."""
    try:
        team, user, _, at = signing.loads(token, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        raise LinkSpent from None
    key = f"link:{hashlib.sha256(token.encode()).hexdigest()}"
    age = clock.now().timestamp() - at
    if age > GOOD_FOR.total_seconds() or Spent.objects.filter(key=key).exists():
        raise LinkSpent
    return Invitation(team, user, key)


@transaction.atomic
def link(person: User, invitation: Invitation, identity: Identity) -> SlackAccount:
    """Let this account in Slack speak for this person, instead of any other one."""
    at = clock.now()
    if not Spent.objects.spend(invitation.key, at):
        raise LinkSpent
    held = SlackAccount.objects.filter(team=identity.team, user=identity.user)
    if held.exclude(person=person).exists():
        raise LinkedElsewhere(
            "Somebody else here has linked this account in Slack. They, or an "
            "administrator, have to unlink it first."
        )
    account, _ = SlackAccount.objects.update_or_create(
        person=person,
        defaults={
            "team": identity.team,
            "user": identity.user,
            "name": identity.name,
            "linked_at": at,
        },
    )
    _record(Kind.SLACK_LINKED, account, person)
    return account


@transaction.atomic
def unlink(account: SlackAccount, author: User) -> None:
    """Let nobody in Slack speak for this person. Twice is the same as once."""
    rows = SlackAccount.objects.select_for_update(of=("self",))
    kept = rows.select_related("person").filter(pk=account.pk).first()
    if kept:
        kept.delete()
        _record(Kind.SLACK_UNLINKED, kept, author)


def _record(kind: Kind, account: SlackAccount, author: User) -> None:
    ledger.record(
        kind,
        at=clock.now(),
        actor=Actor.person(author),
        stream=f"user:{account.person.get_username()}"[:120],
        team=account.team,
        user=account.user,
        name=account.name,
    )
