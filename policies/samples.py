"""What would be the facts of an action that nobody has asked for? For tests and trials."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from policies.compiled import CompiledRules
from policies.rules import AgentFacts, Facts, History, Lookback


def facts(body: Mapping[str, Any], rules: CompiledRules, at: datetime) -> Facts:
    """Return the facts of a sample, written like a test of a policy file.

    ``at`` is when it happens, unless the sample says. A lookback that the sample does
    not mention has found nothing before.
    """
    agent = body["agent"]
    given = body["history"]
    return Facts(
        action=body["action"],
        params=body["params"],
        agent=AgentFacts(agent["name"], agent["environment"], tuple(agent["tags"])),
        now=datetime.fromisoformat(body["now"]) if body["now"] else at,
        resource=body["resource"],
        context=body["context"],
        history={
            each.name: history(each, given.get(each.name, {}))
            for each in rules.rules.lookbacks
        },
    )


def history(lookback: Lookback, given: Mapping[str, Any]) -> History:
    count = int(given.get("count", 0))
    return History(
        count,
        float(given.get("sum", 0)) if lookback.sum else None,
        int(given.get("distinct", min(count, 1))) if lookback.distinct else None,
    )
