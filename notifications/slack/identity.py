"""Who is somebody in Slack, and which workspace is ours? Slack itself is asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.cache import cache

from governance.errors import Refused
from governance.text_safety import visible_line
from notifications.slack import api
from notifications.transports.base import DeliveryError

AN_HOUR = 3600
LONGEST_NAME = 80


class SlackAway(Refused):
    code = "slack_unavailable"
    status = 503


class NoPerson(Refused):
    code = "slack_user_unfit"
    status = 403


@dataclass(frozen=True, slots=True)
class Identity:
    """One person in Slack, under the name and address they have there now."""

    team: str
    team_name: str
    user: str
    name: str
    # Empty if the app may not read it.
    email: str
    is_guest: bool


def our_team() -> str:
    """Return the id of the workspace that the app's token belongs to."""
    return str(_us(api.AT_ONCE)["team_id"])


def look_up(user: str) -> Identity:
    """Return who this is. Raises ``NoPerson`` for programs and for who has left."""
    team = _us(api.PATIENT)
    told = _ask("users.info", api.PATIENT, user=user)["user"]
    if (
        told.get("deleted")
        or told.get("is_bot")
        or told.get("team_id") != team["team_id"]
    ):
        raise NoPerson("Only people who work in this workspace can be linked.")
    profile = told.get("profile") or {}
    name = profile.get("real_name") or told.get("real_name") or told.get("name") or user
    return Identity(
        team=team["team_id"],
        team_name=visible_line(str(team.get("team", ""))),
        user=str(told["id"]),
        name=visible_line(str(name))[:LONGEST_NAME],
        email=visible_line(str(profile.get("email") or "")),
        is_guest=bool(told.get("is_restricted") or told.get("is_ultra_restricted")),
    )


def _us(seconds: float) -> dict[str, Any]:
    """Return who we are in Slack, asked once an hour and for every token."""
    digest = hashlib.sha256(settings.SLACK_BOT_TOKEN.encode()).hexdigest()
    key = f"slack.us.{digest[:32]}"
    known: dict[str, Any] | None = cache.get(key)
    if known is None:
        known = _ask("auth.test", seconds)
        cache.set(key, known, AN_HOUR)
    return known


def _ask(method: str, seconds: float, **arguments: str) -> dict[str, Any]:
    try:
        return api.call(method, seconds, **arguments)
    except DeliveryError as error:
        raise SlackAway(f"{error}. Try again in a moment.") from error
