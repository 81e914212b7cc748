"""How does a receiver know that a message is ours? Standard Webhooks 1.0, signed (v1)."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime

from standardwebhooks import Webhook as Signer

from governance.sealing import seal, unseal
from notifications.webhooks.models import Webhook, WebhookMessage

PURPOSE = "webhook"
PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """Return a secret as the libraries of receivers take it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sealed(secret: str) -> str:
    return seal(secret, PURPOSE)


def headers(webhook: Webhook, message: WebhookMessage, at: datetime) -> dict[str, str]:
    """Return what a message is sent with at this moment.

    Two signatures while two secrets are valid. Raises ``sealing.Unreadable``.
    """
    signers = [Signer(unseal(each, PURPOSE)) for each in _valid(webhook, at)]
    signed = [signer.sign(message.key, at, message.body) for signer in signers]
    return {
        "webhook-id": message.key,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signed),
    }


def _valid(webhook: Webhook, at: datetime) -> list[str]:
    former = webhook.former_until is not None and at < webhook.former_until
    return [webhook.secret, *([webhook.former_secret] if former else [])]
