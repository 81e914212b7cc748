"""What do the policies say to this proposal, here and now?

The bridge between the pure engine and the database: it gathers the facts under the
locks that make lookbacks exact, and hands them over.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Protocol

from django.conf import settings
from prometheus_client import Counter

from approvals import stops
from approvals.errors import SchemaMismatch, UnknownAction
from governance import clock, locks
from governance.ledger import Actor
from governance.models import Action, Agent
from policies import engine, lookbacks, store
from policies.engine import CompiledRules, Verdict
from policies.rules import AgentFacts, Decision, Facts, Lookback

logger = logging.getLogger(__name__)
UNEVALUATED = Counter(
    "countersign_unevaluated",
    "Submissions for which this process could not evaluate every rule.",
)
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


def judge(
    agent: Agent, proposed: Proposed, *, replacing: Action | None = None
) -> Judged:
    """Judge a proposal under the locks that its lookbacks need.

    The locks last until the transaction ends: of two first refunds for one customer,
    the second one is judged when the first is on record. Rules cannot change meanwhile.
    ``replacing`` is the action whose next revision this would be: it does not count.
    """
    locks.shared(locks.RULES)
    stops.check(proposed.action)
    rules = store.current()
    _check_catalogue(rules, proposed)
    return _judge(rules, _facts(agent, proposed, clock.now()), replacing)


def judge_again(action: Action) -> Judged:
    """Judge what is on record by the rules of now, under the same locks.

    Its shape is not asked about again: the catalogue says what may be sent.
    """
    locks.shared(locks.RULES)
    return _judge(store.current(), lookbacks.facts_of(action), action)


def _judge(rules: CompiledRules, facts: Facts, replacing: Action | None) -> Judged:
    read, counted = rules.read_by(facts.action), rules.counted_by(facts.action)
    lookbacks.lock([*read, *counted], facts)
    # Only now: it may have taken a while to get here.
    at = clock.now()
    history = lookbacks.history(read, facts, at, replacing)
    verdict = engine.judge(rules, replace(facts, now=at, history=history))
    if not verdict.evaluated:
        _complain(facts.action, verdict)
    return Judged(
        verdict, at, rules.rules.revision, _summary(rules, facts), tuple(counted)
    )


def _complain(action: str, verdict: Verdict) -> None:
    """Say which rules could not be evaluated: they decided by failing closed."""
    UNEVALUATED.inc()
    noted = [*verdict.trace["policies"], *verdict.trace["risk_factors"]]
    for entry in noted:
        if problem := entry.get("error"):
            name = entry.get("policy") or entry.get("factor")
            logger.warning(
                "%s could not be evaluated for %s: %s", name, action, problem
            )


def blocked_now(action: Action) -> str | None:
    """Return the policy that forbids this action by now, if there is one."""
    rules = store.current()
    at = clock.now()
    facts = replace(lookbacks.facts_of(action), now=at)
    history = lookbacks.history(rules.read_by(action.name), facts, at, action)
    verdict = engine.judge(rules, replace(facts, history=history))
    for reason in verdict.reasons:
        if reason.decision == Decision.BLOCK and reason.policy:
            return reason.policy
    return None


def _facts(agent: Agent, proposed: Proposed, at: datetime) -> Facts:
    return Facts(
        action=proposed.action,
        params=proposed.params,
        agent=AgentFacts(agent.name, agent.environment, tuple(agent.tags)),
        now=at,
        resource=proposed.resource,
        context=proposed.context,
    )


def _check_catalogue(rules: CompiledRules, proposed: Proposed) -> None:
    """Refuse what the catalogue says cannot be: an unknown action, or parameters of
    the wrong shape."""
    kind = rules.action_types.get(proposed.action)
    if kind:
        problems = engine.schema_errors(kind, proposed.params)
        if problems:
            words = f"The params do not fit the schema of {kind.name}."
            raise SchemaMismatch(words, errors=problems)
    elif settings.STRICT_ACTIONS:
        known = list(rules.action_types)
        near = get_close_matches(proposed.action, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UnknownAction(f"The catalogue does not know this action.{hint}")


def _summary(rules: CompiledRules, facts: Facts) -> str:
    kind = rules.action_types.get(facts.action)
    template = kind.summary if kind else ""
    return engine.summary(template, facts.action, facts.params, facts.resource)
