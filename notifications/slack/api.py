"""How is Slack's Web API called, and what does it mean when it says no?"""

from __future__ import annotations

from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from django.conf import settings

from notifications.transports.base import DeliveryError

if TYPE_CHECKING:
    from slack_sdk.errors import SlackApiError

# For work in the background, and while somebody at Slack waits for an answer: there
# are three seconds for it altogether.
PATIENT, AT_ONCE = 10, 2

# The message, or who it is for, will not become another one. Everything else somebody
# can mend: invite the app to a channel, renew its token, give it a right. A channel
# that is "not found" may be a private one that the app was not invited to.
FOR_GOOD = frozenset(
    {
        "cannot_dm_bot",
        "cant_update_message",
        "edit_window_closed",
        "invalid_arguments",
        "is_archived",
        "message_not_found",
        "user_disabled",
        "user_not_found",
        "users_not_found",
    }
)
# Slack counts in its own way. What is too much by that is said in fewer words.
TOO_MUCH = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"}
)


class TooMuch(DeliveryError):
    """Slack does not show that much in one message."""


def call(
    method: str, seconds: float | None = None, /, **arguments: Any
) -> dict[str, Any]:
    """Return what Slack answers, or raise ``DeliveryError`` with why it did not.

    ``method`` is Slack's: ``chat.postMessage``; ``seconds`` is how long it may take, and
    ``PATIENT`` without. Nothing is tried twice in here: what
    was posted and not answered would be there twice.
    """
    # Loading it takes a while, and most processes never need it.
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError, SlackClientError

    client = WebClient(
        token=settings.SLACK_BOT_TOKEN,
        base_url=f"{settings.SLACK_API_URL.rstrip('/')}/",
        timeout=seconds or PATIENT,  # type: ignore[arg-type]
        retry_handlers=[],
    )
    try:
        answer = getattr(client, method.replace(".", "_"))(**arguments)
    except SlackApiError as refusal:
        raise _problem(refusal) from refusal
    except (SlackClientError, HTTPException, OSError, ValueError) as error:
        raise DeliveryError(f"{type(error).__name__}: {error}") from error
    return dict(answer.data)


def _problem(refusal: SlackApiError) -> DeliveryError:
    answer = refusal.response
    said = str(answer.get("error") or f"status {answer.status_code}")
    kind = TooMuch if said in TOO_MUCH else DeliveryError
    return kind(
        f"Slack said: {said}",
        permanent=said in FOR_GOOD | TOO_MUCH,
        wait=_seconds(answer.headers),
    )


def _seconds(headers: dict[str, str]) -> float:
    """Return how long Slack wants to be left alone."""
    named = {name.lower(): text for name, text in headers.items()}
    after = named.get("retry-after", "")
    return float(after) if after.isdecimal() else 0
