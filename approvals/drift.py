"""What would the rules of now say to what waits under earlier ones?

Only a change of the rules counts: time passes, and history grows, without anybody
touching a rule. So a request has drifted when the rules of now ask for something else
than it waits for, and the rules that judged it, given the same facts, would not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Q

from approvals.models import ApprovalRequest
from governance import clock
from policies import engine, history, lookbacks, rulesets, store
from policies.engine import CompiledRules, Verdict
from policies.rules import Decision, Facts

logger = logging.getLogger(__name__)

# One run takes no longer than a worker may, however much there is to compare.
SECONDS = 10
PAGE = 200

# What is asked of people: the decision, and for each stage its step, groups and number.
Demand = tuple[str, list[tuple[int, list[str], int]]]


def check() -> int:
    """Compare what waits with the rules of now. Return how many requests that were.

    Writes nothing but what it found, and takes no lock: people decide meanwhile.
    """
    compared, stop_at = 0, time.monotonic() + SECONDS
    comparison = _Comparison(store.current())
    for request in _behind(comparison.rules.revision):
        if time.monotonic() > stop_at:
            break
        _note(request, _compared(comparison, request), comparison.rules.revision)
        compared += 1
    return compared


def of(request: ApprovalRequest, at: datetime) -> dict[str, Any]:
    """Return what the rules of now say instead; empty when they ask for the same."""
    return _Comparison(store.current()).drift_of(request, at)


def _behind(revision: int) -> Iterator[ApprovalRequest]:
    """Yield what waits and was last compared with earlier rules, by those it had."""
    older = Q(drift_revision=None) | Q(drift_revision__lt=revision)
    behind = ApprovalRequest.objects.open().filter(older, rules_revision__lt=revision)
    keys = list(behind.order_by("rules_revision", "pk").values_list("pk", flat=True))
    rows = behind.select_related("action__agent").prefetch_related("stages")
    for start in range(0, len(keys), PAGE):
        page = rows.filter(pk__in=keys[start : start + PAGE])
        yield from page.order_by("rules_revision", "pk")


def _compared(
    comparison: _Comparison, request: ApprovalRequest
) -> dict[str, Any] | None:
    """Return the drift. None when nobody can say: that must not hold the others up."""
    try:
        return comparison.drift_of(request, clock.now())
    except Exception:
        logger.exception("Could not compare the request %s with the rules", request.pk)
        return None


def _note(
    request: ApprovalRequest, drift: dict[str, Any] | None, revision: int
) -> None:
    older = Q(drift_revision=None) | Q(drift_revision__lt=revision)
    rows = ApprovalRequest.objects.filter(older, pk=request.pk)
    rows.update(drift=drift, drift_revision=revision)


class _Comparison:
    """The rules of now beside those that judged what waits."""

    def __init__(self, rules: CompiledRules) -> None:
        self.rules = rules
        self.groups = dict(Group.objects.values_list("pk", "name"))
        self._former: tuple[int, CompiledRules | None] = (-1, None)

    def drift_of(self, request: ApprovalRequest, at: datetime) -> dict[str, Any]:
        """Return what would be different: empty when the same would be asked."""
        facts = replace(lookbacks.facts_of(request.action), now=at)
        verdict = _judge(self.rules, facts, request)
        wanted = _demand(verdict)
        if wanted == _asked(request, self.groups):
            return {}
        former = self._rules_of(request)
        if former and _demand(_judge(former, facts, request)) == wanted:
            return {}
        return told(verdict)

    def _rules_of(self, request: ApprovalRequest) -> CompiledRules | None:
        """Return the rules that judged it, if they can still be asked.

        Not when a lookback they read is gone, or counts something else by now.
        """
        if self._former[0] != request.rules_revision:
            self._former = request.rules_revision, _compiled(request.rules_revision)
        former = self._former[1]
        read = former.read_by(request.action.name) if former else []
        kept = all(lookback in self.rules.rules.lookbacks for lookback in read)
        return former if kept else None


def _compiled(revision: int) -> CompiledRules | None:
    try:
        state = history.rules_at(revision)
    except history.UnknownRevision:
        return None
    return engine.compile_rules(rulesets.rule_set(state, {}, revision))


def _judge(rules: CompiledRules, facts: Facts, request: ApprovalRequest) -> Verdict:
    action = request.action
    read = rules.read_by(action.name)
    found = lookbacks.history(read, facts, facts.now, action)
    return engine.judge(rules, replace(facts, history=found))


def _demand(verdict: Verdict) -> Demand:
    return str(verdict.decision), sorted(
        (stage.step, sorted(stage.groups), stage.approvals) for stage in verdict.stages
    )


def _asked(request: ApprovalRequest, names: Mapping[int, str]) -> Demand:
    """Return what it waits for, under the names that its groups have by now."""
    return str(Decision.REQUIRE_APPROVAL), sorted(
        (
            stage.step,
            sorted(names.get(g["id"], g["name"]) for g in stage.groups),
            stage.needed,
        )
        for stage in request.stages.all()
    )


def told(verdict: Verdict) -> dict[str, Any]:
    """Return what a verdict comes down to: who decides, by which policies."""
    reasons = [r for r in verdict.reasons if r.decision == verdict.decision]
    groups = dict.fromkeys(name for stage in verdict.stages for name in stage.groups)
    return {
        "decision": str(verdict.decision),
        "policies": [reason.policy for reason in reasons if reason.policy],
        "groups": list(groups),
    }
