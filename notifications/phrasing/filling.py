"""How does a wording become the words of one message?

Names are looked up and nothing else: no attribute, index or format is reachable. What an
agent wrote comes out on one line, with everything visible that would hide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from approvals.models import ApprovalRequest
from governance.text_safety import visible, visible_line
from notifications.phrasing.models import EVERY, Phrase
from notifications.topics import Topic
from notifications.transports.base import Message
from policies import patterns
from policies.summaries import fill

# What can be named, and what it stands for.
NAMES = {
    "summary": "what would be done, in one line",
    "action": "its name",
    "agent": "the agent's name",
    "environment": "the agent's environment",
    "risk": "points from 0 to 100",
    "deadline": "until when somebody can decide",
    "params": "a parameter: {params.amount}",
    "resource": "{resource.type} and {resource.id}",
}
_PLACE = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r"\s*([a-z]+)(\.[A-Za-z_][\w-]*)*\s*")


def unknown(text: str) -> Iterator[str]:
    """Yield what stands in braces and is no name; a brace alone is one of them."""
    for place in _PLACE.finditer(text):
        name = _NAME.fullmatch(place[1])
        if name is None or name[1] not in NAMES:
            yield place[0]
    yield from re.findall(r"[{}]", _PLACE.sub("", text))


def phrase_for(topic: Topic, channel: str, action: str) -> Phrase | None:
    """Return the wording that fits best: for this channel, then for fewer actions."""
    rows = Phrase.objects.filter(topic=topic, channel__in=[EVERY, channel])
    fitting = [row for row in rows if patterns.matches(row.pattern, action)]
    return max(fitting, key=_fit, default=None)


def _fit(phrase: Phrase) -> tuple[bool, bool, int]:
    exact = not phrase.pattern.endswith("*")
    return bool(phrase.channel), exact, len(phrase.pattern)


def phrased(message: Message, phrase: Phrase, request: ApprovalRequest) -> Message:
    """Return the message in these words. What they leave empty stays as it was."""
    action = request.action
    facts = {
        "summary": message.summary,
        "action": action.name,
        "agent": action.agent.name,
        "environment": action.agent.environment,
        "risk": request.risk,
        "deadline": dict(message.facts).get("Decide by", "no deadline"),
        "params": request.params,
        "resource": request.resource or {},
    }
    title = visible_line(fill(phrase.title, facts))
    opening = visible(fill(phrase.opening, facts)).strip()
    return replace(
        message,
        title=f"{_again(message)}{title}" if title else message.title,
        body=opening or message.body,
        short=visible_line(opening) or title,
    )


def _again(message: Message) -> str:
    """What continues a conversation says so, or it would begin another one."""
    return "Re: " if message.title.startswith("Re: ") else ""
