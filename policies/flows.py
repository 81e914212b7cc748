"""Who must agree when several flows apply at once?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from policies.rules import Do, Flow, OnTimeout, Silence, Stage


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
    """Ask once what satisfies both: more people, less time, stricter silence."""
    merged = replace(
        one,
        approvals=max(one.approvals, other.approvals),
        rejections=min(one.rejections, other.rejections),
        sla=_shorter(one.sla, other.sla),
        reassign_to=tuple(g for g in one.reassign_to if g in other.reassign_to),
    )
    if one.silence or other.silence or one.calendar != other.calendar:
        return _stricter_chain(merged, one, other)
    return _field_by_field(merged, one, other)


def _field_by_field(merged: Stage, one: Stage, other: Stage) -> Stage:
    """Join two silences that are a timeout and what it leads to.

    The silence is the least lenient of the two: rejecting, then escalating, then
    holding, then approving. Whoever escalates is joined by the other's groups only if
    both escalate, and nobody approves by silence unless both would, at the lower risk.
    """
    silence = min(one.on_timeout, other.on_timeout, key=lambda s: s.leniency)
    escalating = [s for s in (one, other) if s.on_timeout == silence]
    groups = dict.fromkeys(g for s in escalating for g in s.escalate_to)
    limits = (one.auto_approve_max_risk, other.auto_approve_max_risk)
    return replace(
        merged,
        timeout=_shorter(one.timeout, other.timeout),
        on_timeout=silence,
        escalate_to=tuple(groups) if silence == OnTimeout.ESCALATE else (),
        auto_approve_max_risk=_lower(*limits) if silence == OnTimeout.APPROVE else None,
    )


def _stricter_chain(merged: Stage, one: Stage, other: Stage) -> Stage:
    """Take the stricter of two silences as a whole, with its calendar.

    Steps of two chains do not mix: half of each would be what neither author meant. Of
    two that end alike it is the one that ends sooner. Its end is the sooner of both, and
    what it would have done from then on is left out.
    """
    stricter, laxer = sorted((one, other), key=_strictness)
    end = _shorter(_end(stricter), _end(laxer))
    chain = _ended_at(stricter.chain(), end)
    if chain and chain[-1].do == Do.APPROVE:
        limits = (s.chain()[-1].max_risk for s in (one, other))
        chain = (*chain[:-1], replace(chain[-1], max_risk=_lower(*limits)))
    return replace(
        merged,
        silence=chain,
        calendar=stricter.calendar,
        timeout=None,
        on_timeout=OnTimeout.REJECT if chain else OnTimeout.HOLD,
        escalate_to=(),
        auto_approve_max_risk=None,
    )


def _strictness(stage: Stage) -> tuple[int, timedelta, bool, str, tuple[str, ...]]:
    """Order silences, the strictest first. No two that differ are equal.

    Time of every hour passes sooner than the same amount of working time.
    """
    chain = stage.chain()
    told = tuple(repr(step) for step in chain)
    end = _end(stage) or timedelta.max
    named = stage.calendar or ""
    return _leniency(chain).leniency, end, bool(named), named, told


def _leniency(chain: Sequence[Silence]) -> OnTimeout:
    """Say what a chain comes to. Without one it waits for ever: it holds."""
    if not chain:
        return OnTimeout.HOLD
    if chain[-1].do == Do.REJECT and any(s.do == Do.ESCALATE for s in chain):
        return OnTimeout.ESCALATE
    return OnTimeout(chain[-1].do)


def _end(stage: Stage) -> timedelta | None:
    chain = stage.chain()
    return chain[-1].after if chain else None


def _ended_at(chain: tuple[Silence, ...], end: timedelta | None) -> tuple[Silence, ...]:
    if end is None:
        return ()
    if not chain:
        return (Silence(end, Do.HOLD),)
    before = (step for step in chain[:-1] if step.after < end)
    return (*before, replace(chain[-1], after=end))


def _shorter(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    return min((t for t in (one, other) if t is not None), default=None)


def _lower(*risks: int | None) -> int | None:
    """Return the lower limit, None (never) if one of them has none."""
    return None if None in risks else min(r for r in risks if r is not None)
