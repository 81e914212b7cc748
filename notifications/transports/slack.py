"""Slack, through its Web API: https://docs.slack.dev/reference/methods/chat.postMessage"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from notifications.slack import api
from notifications.slack.messages import preview, versions
from notifications.transports.base import Message, Transport


@dataclass(frozen=True)
class Slack(Transport):
    """One message per message, to a channel or to a person. It can be changed later.

    Slack knows no way to post a message only once. A second copy bears the same id in
    its metadata, and its buttons decide the same as the first one's.
    """

    def send(self, message: Message) -> str:
        answer = _post("chat.postMessage", message, channel=message.to)
        # Whoever writes to a person has written to a channel of the two of them.
        return f"{answer.get('channel', '')}:{answer.get('ts', '')}"

    def edit(self, reference: str, message: Message) -> None:
        channel, _, ts = reference.partition(":")
        _post("chat.update", message, channel=channel, ts=ts)


def _post(method: str, message: Message, **where: str) -> dict[str, Any]:
    """Say as much of it as Slack takes."""
    refusal = api.TooMuch("It is too long for Slack.", permanent=True)
    unfurl = {"unfurl_links": False, "unfurl_media": False}
    for blocks in versions(message):
        try:
            return api.call(
                method,
                **where,
                blocks=blocks,
                text=preview(message),
                metadata=_mark(message),
                **(unfurl if method == "chat.postMessage" else {}),
            )
        except api.TooMuch as error:
            refusal = error
    raise refusal


def _mark(message: Message) -> dict[str, Any]:
    """Return what makes a second copy known as one. The whole workspace can read it."""
    return {
        "event_type": "countersign_message",
        "event_payload": {"id": message.id.strip("<>")},
    }
