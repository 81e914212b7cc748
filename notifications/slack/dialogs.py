"""What is somebody asked who has pressed a button? Nothing is decided before.

The dialog repeats in one line what it is about. What it was made for goes with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from approvals.models import ApprovalRequest, Vote
from notifications.messages import subject_matter
from notifications.slack.buttons import Button
from notifications.slack.texts import LONGEST_TEXT, Block, plain, section

DECIDE = "decide"
COMMENT, CONFIRMED = "comment", "confirmed"
# Slack takes no more in one field.
LONGEST_COMMENT = 3_000
CONFIRM = "I have checked it: this cannot be undone."


@dataclass(frozen=True, slots=True)
class Asking:
    """The words of a dialog, as short as Slack wants them."""

    title: str
    submit: str
    label: str


WORDS = {
    Vote.Verdict.APPROVE: Asking("Approve", "Approve", "Comment"),
    Vote.Verdict.REJECT: Asking("Reject", "Reject", "Why? The agent reads it."),
    Vote.Verdict.REQUEST_CHANGES: Asking(
        "Request changes", "Send back", "What should change? The agent reads it."
    ),
}


def dialog(button: Button, request: ApprovalRequest) -> dict[str, Any]:
    """Return what asks for the verdict, and for what has to be said with it."""
    words = WORDS[button.verdict]
    blocks = [section(_short(subject_matter(request))), _comment(button.verdict)]
    if must_confirm(button.verdict, request):
        blocks.append(_confirmation())
    return {
        "type": "modal",
        "callback_id": DECIDE,
        "private_metadata": button.value,
        "title": plain(words.title),
        "submit": plain(words.submit),
        "close": plain("Cancel"),
        "blocks": blocks,
    }


def must_confirm(verdict: Vote.Verdict, request: ApprovalRequest) -> bool:
    return verdict == Vote.Verdict.APPROVE and not request.action.reversible


def said(title: str, words: str) -> dict[str, Any]:
    """Return what takes the dialog's place when there is nothing more to ask."""
    return {
        "type": "modal",
        "title": plain(title),
        "close": plain("Close"),
        "blocks": [section(_short(words))],
    }


def _comment(verdict: Vote.Verdict) -> Block:
    return {
        "type": "input",
        "block_id": COMMENT,
        "optional": verdict != Vote.Verdict.REQUEST_CHANGES,
        "label": plain(WORDS[verdict].label),
        "element": {
            "type": "plain_text_input",
            "action_id": COMMENT,
            "multiline": True,
            "max_length": LONGEST_COMMENT,
        },
    }


def _confirmation() -> Block:
    return {
        "type": "input",
        "block_id": CONFIRMED,
        "label": plain("This cannot be undone"),
        "element": {
            "type": "checkboxes",
            "action_id": CONFIRMED,
            "options": [{"text": plain(CONFIRM), "value": CONFIRMED}],
        },
    }


def _short(text: str) -> str:
    # Escaped it may be five times as long.
    most = LONGEST_TEXT // 5
    return text if len(text) <= most else f"{text[: most - 1]}…"
