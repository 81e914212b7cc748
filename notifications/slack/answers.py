"""How is somebody answered who pressed something? In a sentence that only they see.

Slack gives an address for it and waits three seconds for us to have heard: it is
written to afterwards. An answer that is lost is no harm, for nothing is decided by it.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from notifications.slack.api import PATIENT
from notifications.slack.texts import Block, escaped, plain, section

logger = logging.getLogger(__name__)
_threads = ThreadPoolExecutor(4, "slack-answers")


def tell(address: str, words: str, *, link: str = "", verb: str = "") -> None:
    """Say something to whoever pressed, and offer a link."""
    blocks = [section(words)]
    if link:
        button = {
            "type": "button",
            "text": plain(verb),
            "url": link,
            "action_id": "open",
        }
        blocks.append({"type": "actions", "elements": [button]})
    _later(
        address,
        text=escaped(words),
        blocks=blocks,
        response_type="ephemeral",
        replace_original=False,
    )


def close(address: str, blocks: list[Block], words: str) -> None:
    """Take the buttons from a message about what is decided already, and say so there."""
    kept = [block for block in blocks if block.get("type") != "actions"]
    _later(
        address,
        text=escaped(words),
        blocks=[*kept, section(words)],
        replace_original=True,
    )


def is_slacks(address: str) -> bool:
    """Whether this is where Slack takes answers. A test server is where its API is."""
    found, ours = urlsplit(address), urlsplit(settings.SLACK_API_URL)
    if ours.hostname in ("slack.com", "slack-gov.com"):
        return (found.scheme, found.netloc) == ("https", f"hooks.{ours.hostname}")
    return (found.scheme, found.netloc) == (ours.scheme, ours.netloc)


def _later(address: str, **said: Any) -> None:
    if is_slacks(address):
        _threads.submit(_send, address, said)
    else:
        logger.warning("Slack named an address for answers that is not its own")


def _send(address: str, said: dict[str, Any]) -> None:
    # Loading it takes a while, and most processes never need it.
    from slack_sdk import WebhookClient

    try:
        answer = WebhookClient(address, timeout=PATIENT, retry_handlers=[]).send(**said)
    except Exception as error:
        # Whatever it is, a thread that nobody waits for must say so itself.
        logger.warning("Slack did not take an answer: %s", type(error).__name__)
    else:
        if answer.status_code != 200:
            logger.warning("Slack did not take an answer: %s", answer.status_code)
