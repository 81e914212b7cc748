"""Which agent is calling? Keys of 256 random bits, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import timedelta
from typing import Self

from django.db import connection

from governance import clock
from governance.errors import Refused
from governance.models import Agent, AgentKey, User

FORM = re.compile(r"\Aagk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})\Z")
LOOKS_LIKE_A_KEY = re.compile(r"agk_[a-z0-9]{12}_")
HELD = """
SELECT agent_key.revoked_at, agent.suspended
FROM governance_agentkey AS agent_key
JOIN governance_agent AS agent ON agent.id = agent_key.agent_id
WHERE agent_key.id = %s
"""
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class InvalidKey(Refused):
    """One message for all: who guesses must not learn which part was right."""

    code = "invalid_api_key"
    status = 401

    def __init__(self) -> None:
        super().__init__(
            "This API key is not valid. Ask an administrator for a new one."
        )


class Suspended(Refused):
    code = "agent_suspended"
    status = 403

    @classmethod
    def agent(cls, agent: Agent) -> Self:
        return cls(f"The agent {agent} is suspended. Its owner can say why.")


def make(
    agent: Agent, by: User | None, lifetime: timedelta | None
) -> tuple[AgentKey, str]:
    """Store a new key. Return it with its only plain-text copy."""
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    key = AgentKey.objects.create(
        agent=agent,
        prefix=prefix,
        secret_sha256=_hash(secret),
        created_by=by,
        expires_at=clock.now() + lifetime if lifetime else None,
    )
    return key, f"agk_{prefix}_{secret}"


def verify(raw: str) -> AgentKey:
    """Return the live key, with its agent, or raise ``InvalidKey`` or ``Suspended``.

    The row is read on every call: revoking or suspending works on the very next one.
    """
    key = find(raw)
    at = clock.now()
    if key is None or not key.is_live(at):
        raise InvalidKey
    if key.agent.suspended:
        raise Suspended.agent(key.agent)
    _mark_used(key)
    return key


def hold(key: AgentKey) -> None:
    """Refuse if the key or its agent has been stopped since it was verified.

    Whoever revokes or suspends from now on waits until this transaction has ended: when
    they are done, nothing that began before them is still under way.
    """
    # On SQLite there is one writer at a time: what is read here holds anyway.
    lock = " FOR SHARE" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(HELD + lock, [key.pk])
        revoked_at, suspended = cursor.fetchone()
    if revoked_at:
        raise InvalidKey
    if suspended:
        raise Suspended.agent(key.agent)


def find(raw: str) -> AgentKey | None:
    """Return the key whose secret this is, live or not."""
    parts = FORM.match(raw)
    prefix, secret = parts.groups() if parts else ("", "")
    key = AgentKey.objects.select_related("agent").filter(prefix=prefix).first()
    # Also without a row: an unknown prefix must not answer faster than a known one.
    stored = key.secret_sha256 if key else "0" * 64
    return key if hmac.compare_digest(_hash(secret), stored) else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _mark_used(key: AgentKey) -> None:
    """Keep ``last_used_at`` right to the minute, not at the price of a write a call."""
    at = clock.now()
    if key.last_used_at is None or key.last_used_at < at - timedelta(minutes=1):
        AgentKey.objects.filter(pk=key.pk).update(last_used_at=at)
