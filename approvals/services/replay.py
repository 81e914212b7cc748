"""Was this call made before? One idempotency key does its work once.

Keys are per agent, call and action. A second call with the same key waits for the
first one's transaction, then finds what it did.
"""

from __future__ import annotations

from dataclasses import dataclass

from approvals.errors import KeyReused
from governance import canonical, locks
from governance.models import Action, Agent, IdempotencyKey


@dataclass(slots=True)
class Once:
    agent: Agent
    scope: str
    key: str | None
    body: object

    def done(self) -> Action | None:
        """Return the action that the first call with this key was about, if any.

        Raise ``KeyReused`` when that call said something else.
        """
        if self.key is None:
            return None
        locks.keyed([f"idempotency:{self.agent.pk}:{self.scope}:{self.key}"])
        rows = IdempotencyKey.objects.select_related("action")
        first = rows.filter(agent=self.agent, scope=self.scope, key=self.key).first()
        if first is None:
            return None
        if first.fingerprint != canonical.fingerprint(self.body):
            raise KeyReused(
                f"This Idempotency-Key belongs to another body, for {first.action_id}. "
                "Use a new key for a new request."
            )
        return first.action

    def remember(self, action: Action) -> None:
        if self.key is not None:
            IdempotencyKey.objects.create(
                agent=self.agent,
                scope=self.scope,
                key=self.key,
                fingerprint=canonical.fingerprint(self.body),
                action=action,
            )
