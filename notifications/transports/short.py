"""What is said where there is room for little, and anybody may look over a shoulder?

The server's own words, the names of action and agent, and the link. What the agent
wrote, parameters among it, is left out unless the administrator allows the summary.
"""

from __future__ import annotations

from notifications.templatetags.inert import bracketed
from notifications.transports.base import Message

LONGEST = 320
_TOLD = (("Action", "{}"), ("Agent", "by {}"), ("Risk", "risk {}"))


def line(message: Message, *, with_summary: bool = False) -> str:
    """Return what happened, to what, and until when, without the link."""
    if message.short:
        return _cut(bracketed(message.short))
    facts = dict(message.facts)
    matter = bracketed(message.summary) if with_summary else _matter(facts)
    told = f"{message.headline}: {matter}" if matter else message.headline
    if "Decide by" in facts and not message.settled:
        told = f"{told}. Decide by {facts['Decide by']}"
    return _cut(told)


def _cut(told: str) -> str:
    return told if len(told) < LONGEST else f"{told[: LONGEST - 1]}…"


def _matter(facts: dict[str, str]) -> str:
    told = [words.format(facts[name]) for name, words in _TOLD if name in facts]
    return ", ".join(told)
