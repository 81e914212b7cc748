"""Does a decision cost more when there are more policies?

It must not: only those policies are looked at whose pattern covers the action. So each
rule set here has as many of them for one action as every other, and differs in how many
there are besides. All are measured in turn, round by round, so that a busy machine is
as busy for the smallest as for the largest.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from statistics import median

from bench.figures import Figure
from policies.engine import CompiledRules, compile_rules, judge
from policies.rules import (
    AgentFacts,
    Decision,
    Facts,
    Flow,
    History,
    Lookback,
    Policy,
    RiskFactor,
    RuleSet,
    Stage,
)

SIZES = (10, 100, 1_000, 10_000)
PER_ACTION = 5
ROUNDS = 41
DECISIONS = 100
# One decision among the most policies, beside one among the fewest.
MOST_TIMES = 1.5

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
CONDITIONS = (
    "params.amount < {n}.0",
    "params.amount >= {n}.0 && params.currency == 'USD'",
    "has(params.vip) && params.vip && agent.environment == 'production{n}'",
    "history.customer.sum + params.amount > {n}.0",
    "risk > 90 || 'blocked{n}' in agent.tags",
)


def measure() -> Iterator[Figure]:
    began = time.perf_counter()
    largest = compile_rules(rule_set(SIZES[-1]))
    seconds = time.perf_counter() - began
    yield Figure(f"compile {SIZES[-1]:,} policies anew", seconds, "s")

    smaller = {size: compile_rules(rule_set(size)) for size in SIZES[:-1]}
    compiled = {**smaller, SIZES[-1]: largest}
    first = {size: first_decisions(rules, size) for size, rules in compiled.items()}
    name = f"the first decision on an action, {SIZES[-1]:,} policies"
    yield Figure(name, first[SIZES[-1]], "µs")
    micros = decisions(compiled)
    for size, each in micros.items():
        yield Figure(f"one decision among {size:,} policies", each, "µs")
    ratio = micros[SIZES[-1]] / micros[SIZES[0]]
    name = f"one among {SIZES[-1]:,} beside one among {SIZES[0]}"
    yield Figure(name, ratio, "times", limit=MOST_TIMES)


def first_decisions(rules: CompiledRules, size: int) -> float:
    """Judge each action once: a program makes itself ready when it first runs."""
    cases = [facts(number, 100) for number in range(size // PER_ACTION)]
    began = time.thread_time()
    for case in cases:
        judge(rules, case)
    return (time.thread_time() - began) / len(cases) * 1e6


def decisions(compiled: Mapping[int, CompiledRules]) -> dict[int, float]:
    """Return the microseconds of processor time that one decision takes.

    Medians of many rounds.
    """
    rounds: dict[int, list[float]] = {size: [] for size in compiled}
    chance = random.Random(7)  # noqa: S311
    for _ in range(ROUNDS):
        for size, rules in compiled.items():
            actions = [chance.randrange(size // PER_ACTION) for _ in range(DECISIONS)]
            cases = [facts(number, chance.uniform(1, 300)) for number in actions]
            began = time.thread_time()
            for case in cases:
                judge(rules, case)
            rounds[size].append((time.thread_time() - began) / DECISIONS * 1e6)
    return {size: median(found) for size, found in rounds.items()}


def rule_set(size: int) -> RuleSet:
    """So many policies, each with a condition of its own, five for an action."""
    return RuleSet(
        policies=tuple(map(_policy, range(size))),
        lookbacks=(
            Lookback(
                "customer", ("*",), "params.customer_id", timedelta(1), "params.amount"
            ),
        ),
        risk_factors=(RiskFactor("large", ("*",), 20, "params.amount > 200.0"),),
        flows=(Flow("managers", (Stage("Manager", ("managers",)),)),),
    )


def facts(number: int, amount: float) -> Facts:
    """An action as an agent sends it, with what was before."""
    return Facts(
        action=f"area.action_{number}",
        params={
            "amount": amount,
            "currency": "USD",
            "customer_id": "C-7",
            "lines": [{"sku": f"S-{line}", "count": line} for line in range(5)],
        },
        agent=AgentFacts("refund-bot", "production", ("eu",)),
        now=NOW,
        resource={"type": "order", "id": "A-1001"},
        context={"order_total": 129},
        history={"customer": History(3, 120.5)},
    )


def _policy(number: int) -> Policy:
    asks = number % PER_ACTION > 0
    return Policy(
        name=f"policy-{number}",
        version=1,
        actions=(f"area.action_{number // PER_ACTION}",),
        decision=Decision.REQUIRE_APPROVAL if asks else Decision.ALLOW,
        reason="Because.",
        when=CONDITIONS[number % PER_ACTION].format(n=number + 50),
        flow="managers" if asks else None,
    )
