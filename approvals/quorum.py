"""When do votes settle a stage, and stages a request? Pure rules, no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from approvals.models import Stage


def is_met(needed: int, approvers: Iterable[object]) -> bool:
    """Whether enough different people approved."""
    return len(set(approvers)) >= needed


def is_rejected(rejections: int, rejecting: Iterable[object]) -> bool:
    """Whether so many different people rejected that the stage does.

    By default one is enough, however many approved: a reviewer who sees a problem must
    not be outvoted.
    """
    return len(set(rejecting)) >= rejections


def next_step(states: Mapping[int, Iterable[str]]) -> int | None:
    """Return the step that is due: the first with a stage that is not approved.

    ``states`` maps each step to the states of its stages. None: all are approved.
    """
    for step in sorted(states):
        if any(state != Stage.State.APPROVED for state in states[step]):
            return step
    return None
