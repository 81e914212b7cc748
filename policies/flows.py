"""Who must agree when several flows apply at once?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from policies.rules import Flow, OnTimeout, Stage


def merge_flows(flows: Iterable[Flow]) -> tuple[Stage, ...]:
    """Put flows one after the other, and ask once what several of them ask.

    A stage that asks the same groups as one of an earlier flow is folded into that one.
    Within a flow nothing is folded: an author who asks the same group twice wants two
    people. Steps are numbered anew, so that stages of one step stay side by side.
    """
    merged: list[Stage] = []
    for flow in sorted(flows, key=lambda flow: (flow.position, flow.name)):
        merged += _follow(merged, flow.stages)
    return tuple(merged)


def _follow(merged: list[Stage], stages: Sequence[Stage]) -> list[Stage]:
    """Fold what has been asked into ``merged``, and return the rest, renumbered."""
    open_to_fold = list(range(len(merged)))
    fresh = []
    for stage in sorted(stages, key=lambda stage: stage.step):
        twin = next((i for i in open_to_fold if _same(merged[i], stage)), None)
        if twin is None:
            fresh.append(stage)
        else:
            open_to_fold.remove(twin)
            merged[twin] = _both(merged[twin], stage)
    last = max((stage.step for stage in merged), default=0)
    steps = sorted({stage.step for stage in fresh})
    return [replace(s, step=last + 1 + steps.index(s.step)) for s in fresh]


def _same(one: Stage, other: Stage) -> bool:
    return set(one.groups) == set(other.groups)


def _both(one: Stage, other: Stage) -> Stage:
    """Ask once what satisfies both: more people, less time, stricter silence.

    The silence is the least lenient of the two: rejecting, then escalating, then
    holding, then approving. Whoever escalates is joined by the other's groups only if
    both escalate, and nobody approves by silence unless both would, at the lower risk.
    """
    silence = min(one.on_timeout, other.on_timeout, key=lambda s: s.leniency)
    escalating = [s for s in (one, other) if s.on_timeout == silence]
    groups = dict.fromkeys(g for s in escalating for g in s.escalate_to)
    return replace(
        one,
        approvals=max(one.approvals, other.approvals),
        sla=_shorter(one.sla, other.sla),
        timeout=_shorter(one.timeout, other.timeout),
        on_timeout=silence,
        escalate_to=tuple(groups) if silence == OnTimeout.ESCALATE else (),
        auto_approve_max_risk=_lower(one, other)
        if silence == OnTimeout.APPROVE
        else None,
    )


def _shorter(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    return min((t for t in (one, other) if t is not None), default=None)


def _lower(one: Stage, other: Stage) -> int | None:
    risks = one.auto_approve_max_risk, other.auto_approve_max_risk
    return None if None in risks else min(r for r in risks if r is not None)
