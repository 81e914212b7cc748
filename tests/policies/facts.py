"""Facts for tests: what a test does not mention is unremarkable."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from policies.rules import AgentFacts, Facts

NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)


def make_facts(action: str = "refund.create", **given: Any) -> Facts:
    agent = given.pop("agent", AgentFacts("bot", "production", ("pii",)))
    given.setdefault("params", {})
    return Facts(action=action, agent=agent, now=NOW, **given)
