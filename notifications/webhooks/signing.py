"""How does a receiver know that a message is ours? Standard Webhooks 1.0, signed (v1)."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime

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
    plain = [unseal(each, PURPOSE) for each in _valid(webhook, at)]
    signatures = [signed(each, message.key, at, message.body) for each in plain]
    return {
        "webhook-id": message.key,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def signed(secret: str, key: str, at: datetime, body: str) -> str:
    """Return one signature: ``v1,…``."""
    signature: str = Signer(secret).sign(key, at.astimezone(UTC), body)
    return signature


def _valid(webhook: Webhook, at: datetime) -> list[str]:
    former = webhook.former_until is not None and at < webhook.former_until
    return [webhook.secret, *([webhook.former_secret] if former else [])]
