"""What do the policies say to this proposal, here and now?

The bridge between the pure engine and the database: it gathers the facts under the
locks that make lookbacks exact, and hands them over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Protocol

from django.conf import settings

from approvals.errors import SchemaMismatch, UnknownAction
from governance import clock, locks
from governance.ledger import Actor
from governance.models import Action, Agent
from policies import engine, lookbacks, store
from policies.engine import CompiledRules, Verdict
from policies.rules import AgentRef, Decision, Facts, Lookback, ResourceRef

POLICIES = Actor("policies", name="policies")


class Proposed(Protocol):
    """What is judged: what would run, and the facts that came with it."""

    @property
    def action(self) -> str: ...

    @property
    def params(self) -> dict[str, Any]: ...

    @property
    def resource(self) -> dict[str, str] | None: ...

    @property
    def context(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, when it was reached, and by which revision of the rules."""

    verdict: Verdict
    at: datetime
    revision: int
    summary: str
    # The lookbacks that count this action from now on.
    counted: tuple[Lookback, ...]
    facts: Facts


def judge(agent: Agent, proposed: Proposed) -> Judged:
    """Judge a proposal under the locks that its lookbacks need.

    The locks last until the transaction ends: of two first refunds for one customer,
    the second one is judged when the first is on record. Rules cannot change meanwhile.
    """
    locks.shared(locks.RULES)
    rules = store.current()
    _check_catalogue(rules, proposed)
    facts = _facts(agent, proposed, clock.now())
    read, counted = rules.read_by(facts.action), rules.counted_by(facts.action)
    lookbacks.lock([*read, *counted], facts)
    # Only now: it may have taken a while to get here.
    at = clock.now()
    facts = _facts(agent, proposed, at, lookbacks.history(read, facts, at))
    return Judged(
        verdict=engine.judge(rules, facts),
        at=at,
        revision=rules.revision,
        summary=_summary(rules, proposed),
        counted=tuple(counted),
        facts=facts,
    )


def blocked_now(action: Action) -> str | None:
    """Return the policy that forbids this action by now, if there is one."""
    rules = store.current()
    at = clock.now()
    proposed = engine.Proposal(action.name, action.params, action.resource, action.context)
    facts = _facts(action.agent, proposed, at)
    history = lookbacks.history(rules.read_by(action.name), facts, at, action)
    verdict = engine.judge(rules, _facts(action.agent, proposed, at, history))
    for reason in verdict.reasons:
        if reason.decision == Decision.BLOCK and reason.policy:
            return reason.policy
    return None
