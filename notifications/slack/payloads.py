"""What does Slack say that somebody did? Read once, strictly, and never trusted twice."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl

from approvals.models import Vote
from governance.errors import Malformed
from notifications.slack import dialogs
from notifications.slack.buttons import Button
from notifications.slack.texts import Block

# What reading raises that is not as it should be, or nested without an end.
NOISE = (LookupError, TypeError, AttributeError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who, by Slack's word, has done something there. ``team`` is their own."""

    team: str
    user: str

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Self:
        who = payload["user"]
        return cls(str(who.get("team_id") or payload["team"]["id"]), str(who["id"]))


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button of ours, where it was, and what can be done about it for a moment."""

    sender: Sender
    button: Button
    trigger: str
    # Where answers go, and the blocks of the message it was on.
    address: str
    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Self | None:
        """Return it, or None for what is no verdict: a link that was followed."""
        action = payload["actions"][0]
        if action["action_id"] not in Vote.Verdict.values:
            return None
        return cls(
            Sender.of(payload),
            Button.of(action["value"]),
            str(payload["trigger_id"]),
            str(payload["response_url"]),
            tuple(payload["message"]["blocks"]),
        )


@dataclass(frozen=True, slots=True)
class Sent:
    """A dialog of ours, as it was filled in."""

    sender: Sender
    button: Button
    comment: str
    confirmed: bool

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Self | None:
        view = payload["view"]
        if view["callback_id"] != dialogs.DECIDE:
            return None
        values = view["state"]["values"]
        return cls(
            Sender.of(payload),
            Button.of(view["private_metadata"]),
            _comment(values),
            _is_confirmed(values),
        )


def read(body: bytes) -> Pressed | Sent | None:
    """Return what a body says. None for what is nothing to us, ``Malformed`` for noise."""
    try:
        payload = json.loads(_only_field(body))
        match payload["type"]:
            case "block_actions":
                return Pressed.of(payload)
            case "view_submission":
                return Sent.of(payload)
    except NOISE as error:
        raise Malformed("This is not how Slack says it.") from error
    return None


def _only_field(body: bytes) -> str:
    [(name, text)] = parse_qsl(
        body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=2
    )
    if name != "payload":
        raise KeyError(name)
    return text


def _comment(values: dict[str, Any]) -> str:
    text = values[dialogs.COMMENT][dialogs.COMMENT].get("value") or ""
    return "\n".join(str(text).splitlines()).strip()


def _is_confirmed(values: dict[str, Any]) -> bool:
    if dialogs.CONFIRMED not in values:
        return False
    chosen = values[dialogs.CONFIRMED][dialogs.CONFIRMED]["selected_options"]
    return [option["value"] for option in chosen] == [dialogs.CONFIRMED]
