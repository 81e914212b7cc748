"""Where is one person reached on a channel? Empty: nowhere."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist

from governance.models import User
from notifications.routing.models import EMAIL, SLACK, SMS, Preference

# What must be set before a channel can be used at all.
CREDENTIALS = {SLACK: "SLACK_BOT_TOKEN", SMS: "TWILIO_ACCOUNT_SID"}


def is_set_up(channel: str) -> bool:
    """Whether the administrator has given what the channel needs."""
    name = CREDENTIALS.get(channel)
    return name is None or bool(getattr(settings, name))


def address_of(person: User, channel: str) -> str:
    """Return an address of theirs; ``preference`` and ``slack_account`` are read."""
    if not is_set_up(channel):
        return ""
    if channel == EMAIL:
        return person.email
    try:
        return person.slack_account.user if channel == SLACK else wanted(person).phone
    except ObjectDoesNotExist:
        return ""


def wanted(person: User) -> Preference:
    """Return what this person wants, or what those want who have said nothing."""
    try:
        return person.preference
    except ObjectDoesNotExist:
        return Preference(person=person)
