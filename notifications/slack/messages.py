"""What does a message look like in Slack?

All of what would run is shown, or there is nothing to press: nobody approves half of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from approvals.models import Vote
from notifications.slack.buttons import Button
from notifications.slack.texts import Block, escaped, fit, label, plain, section, strong
from notifications.templatetags.inert import bracketed, quoted
from notifications.transports.base import Message

OPEN = "open"
TOO_LONG = "It is too long to be shown here whole."
LONGEST_PREVIEW = 500
# Before each line of the agent's: none of them can pass for one of ours.
BAR = "│ "
# A section holds ten fields: five lines of two.
LINES = 5


def versions(message: Message) -> list[list[Block]]:
    """Return the message as Slack could show it, the fullest first.

    Only the first one shows everything, and it alone may have buttons.
    """
    whole = [*_top(message), *_facts(message), *_matter(message)]
    whole += _bottom(message, message.obstacle)
    less = [*_top(message), *_facts(message), *_bottom(message, TOO_LONG)]
    least = [section(message.headline), *_bottom(message, TOO_LONG)]
    return [blocks for blocks in (whole, less, least) if fit(blocks)]


def preview(message: Message) -> str:
    """Return what a phone shows before the message is opened."""
    text = bracketed(f"{message.headline}: {message.summary}")
    if len(text) > LONGEST_PREVIEW:
        text = f"{text[:LONGEST_PREVIEW]}…"
    return escaped(text)


def _top(message: Message) -> Iterator[Block]:
    yield _header(message.headline)
    yield section(message.summary)
    if message.body:
        yield section(message.body)


def _header(text: str) -> Block:
    header = {"type": "header", "text": plain(text)}
    return header if fit([header]) else section(text)


def _facts(message: Message) -> Iterator[Block]:
    for lines in _portions(message.facts):
        fields = [
            part for name, value in lines for part in (strong(name), _cell(value))
        ]
        yield {"type": "section", "fields": fields}
    if message.why:
        yield label("Why it needs approval")
        yield section("\n".join(f"• {reason}" for reason in message.why))


def _portions(
    facts: Sequence[tuple[str, str]],
) -> Iterator[Sequence[tuple[str, str]]]:
    for start in range(0, len(facts), LINES):
        yield facts[start : start + LINES]


def _cell(value: str) -> dict[str, Any]:
    return plain(value or "-")


def _matter(message: Message) -> Iterator[Block]:
    if message.parameters:
        yield label("Parameters: what would run")
        yield section(message.parameters)
    if message.words or message.context:
        yield label("Said by the agent, not verified")
    if message.words:
        yield section(quoted(message.words, BAR))
    if message.context:
        yield section(quoted(message.context, BAR))


def _bottom(message: Message, obstacle: str) -> Iterator[Block]:
    asks = bool(message.request) and not message.settled
    if asks and obstacle:
        yield section(f"Decide it in the console. {obstacle}")
    buttons = _buttons(message) if asks and not obstacle else []
    yield {"type": "actions", "elements": [*buttons, _link(message)]}


def _buttons(message: Message) -> list[dict[str, Any]]:
    styles = {Vote.Verdict.APPROVE: "primary", Vote.Verdict.REJECT: "danger"}
    return [
        {
            "type": "button",
            "action_id": verdict.value,
            "text": plain(words),
            "value": Button(verdict, message.request, message.digest).value,
            **({"style": styles[verdict]} if verdict in styles else {}),
        }
        for verdict, words in (
            (Vote.Verdict.APPROVE, "Approve…"),
            (Vote.Verdict.REJECT, "Reject…"),
            (Vote.Verdict.REQUEST_CHANGES, "Request changes…"),
        )
    ]


def _link(message: Message) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": OPEN,
        "text": plain(message.verb),
        "url": message.url,
    }
