"""Could a draft say anything else to this action than the rules in force?

Most drafts change one policy, and most actions are none of its business. Finding that
out is much cheaper than judging them twice. In doubt the answer is yes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from policies.compiled import Clause, CompiledRules, conditions
from policies.drafts import Draft
from policies.engine import Verdict
from policies.rules import Decision, Facts, Flow, Lookback, Mode, Policy
from policies.situation import CannotEvaluate, ground

_Asked = tuple[Policy, Clause]
# What matters about a policy that matches, whatever it is called.
_Terms = tuple[Decision, Mode, Flow | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a draft changes about the judges of one kind of action: policies alone."""

    gone: Mapping[str, _Terms]
    new: tuple[tuple[_Terms, Clause], ...]
    # The lookbacks that the new ones ask.
    reads: tuple[Lookback, ...]

    def matters(
        self, live: Verdict, rules: CompiledRules, facts: Facts, risk: int
    ) -> bool:
        """Whether what matches instead has other terms, or cannot be evaluated.

        ``facts`` hold what the draft's lookbacks have found.
        """
        if not live.evaluated:
            return True
        try:
            return set(self._said(live)) != set(self._would_say(rules, facts, risk))
        except CannotEvaluate:
            return True

    def _said(self, live: Verdict) -> Iterator[_Terms]:
        for reason in (*live.reasons, *live.monitored):
            if terms := self.gone.get(reason.policy or ""):
                yield terms

    def _would_say(
        self, rules: CompiledRules, facts: Facts, risk: int
    ) -> Iterator[_Terms]:
        if self.new:
            calendars = rules.calendars_at(facts.now, conditions(self.new))
            sensitivity = rules.sensitivity(facts.resource)
            known = ground(facts, sensitivity, calendars).at(risk)
            for terms, clause in self.new:
                if clause.holds(known):
                    yield terms


def difference_of(draft: Draft, action: str) -> Difference | bool:
    """Return what differs for actions of this name: False nothing, True too much."""
    live, tried = draft.live, draft.draft
    if live is tried:
        return False
    before, after = live.policies.matching(action), tried.policies.matching(action)
    same = {policy for policy, _ in before} & {policy for policy, _ in after}
    kept = [each for each in before if each[0] in same]
    if list(_ground(live, action, kept)) != list(_ground(tried, action, kept)):
        return True
    new = tuple((_terms(p, tried), c) for p, c in after if p not in same)
    gone = {p.name: _terms(p, live) for p, _ in before if p not in same}
    names = _asked_for(clause for _, clause in new)
    reads = tuple(b for b in tried.rules.lookbacks if b.name in names)
    return Difference(gone, new, reads) if gone or new else False


def _terms(policy: Policy, rules: CompiledRules) -> _Terms:
    return policy.decision, policy.mode, rules.flows.get(policy.flow or "")


def _ground(rules: CompiledRules, action: str, kept: list[_Asked]) -> Iterator[object]:
    """Yield what has a part in every verdict on such actions, but for the policies."""
    factors = rules.factors.matching(action)
    yield [factor for factor, _ in factors]
    yield rules.action_types.get(action)
    yield rules.rules.resources
    yield rules.rules.default
    yield rules.rules.calendars
    default = rules.rules.default.flow if rules.rules.default else None
    asked = [policy.flow for policy, _ in kept if policy.flow]
    yield [rules.flows.get(name) for name in [*asked, default or ""]]
    clauses = [clause for _, clause in (*kept, *factors)]
    names = _asked_for(clauses)
    for lookback in rules.rules.lookbacks:
        if lookback.name in names:
            # By decisions, each side counts for itself: nothing equals this object.
            yield object() if lookback.decision else lookback


def _asked_for(clauses: Iterable[Clause]) -> set[str]:
    """Return the names of the lookbacks that these conditions ask."""
    return {n for c in clauses if c.condition for n in c.condition.lookbacks}
