"""How does a text stay a text in Slack, and does all of it fit?

Whatever somebody else wrote is ``plain_text``: no markup, no mentions, no links, no
emoji spelled with colons. In every kind of text ``&``, ``<`` and ``>`` are Slack's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

Block = dict[str, Any]

# https://docs.slack.dev/reference/block-kit
MOST_BLOCKS = 50
LONGEST_TEXT, LONGEST_FIELD, LONGEST_HEADER = 3_000, 2_000, 150
# Of all blocks together, as JSON: Slack says no at about 13,200.
LONGEST_MESSAGE = 12_000
# Whoever presses a button sends the whole message back, in the encoding of forms.
LONGEST_RETURN = 40_000


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: str) -> dict[str, Any]:
    """Return what shows exactly this text, whoever wrote it."""
    return {"type": "plain_text", "text": escaped(text), "emoji": False}


def strong(words: str) -> dict[str, Any]:
    """Return words of our own in bold."""
    return {"type": "mrkdwn", "text": f"*{words}*", "verbatim": True}


def section(text: str) -> Block:
    """Return a text, all of it shown: by itself Slack would fold a long one."""
    return {"type": "section", "text": plain(text), "expand": True}


def label(words: str) -> Block:
    return {"type": "context", "elements": [strong(words)]}


def size(text: str) -> int:
    """Count as the strictest of Slack's programs do."""
    return len(text.encode("utf-16-le")) // 2


def fit(blocks: list[Block]) -> bool:
    """Whether Slack takes and shows all of it, and can send it back."""
    whole = json.dumps(blocks)
    return (
        len(blocks) <= MOST_BLOCKS
        and size(json.dumps(blocks, ensure_ascii=False)) <= LONGEST_MESSAGE
        and len(quote_plus(whole)) <= LONGEST_RETURN
        and all(size(text) <= most for block in blocks for text, most in _texts(block))
    )


def _texts(block: Block) -> Iterator[tuple[str, int]]:
    """Yield the texts of a block, each with how long it may be."""
    if "text" in block:
        header = block["type"] == "header"
        yield block["text"]["text"], LONGEST_HEADER if header else LONGEST_TEXT
    for field in block.get("fields", ()):
        yield field["text"], LONGEST_FIELD
