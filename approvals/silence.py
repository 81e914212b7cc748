"""What does silence do at a stage, and when? The steps of its chain, one by one.

The moments are worked out once, when the stage opens, and kept with it: so neither a
changed calendar nor a worker that comes late moves them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from approvals.models import Stage
from policies import calendars


def begin(stage: Stage, at: datetime) -> None:
    """Start the stage's clocks anew."""
    calendar = calendars.from_data(stage.calendar)
    stage.sla_at = calendars.after(calendar, at, stage.sla) if stage.sla else None
    stage.silent_steps = 0
    stage.silence = [
        {**step, "at": calendars.after(calendar, at, after(step)).isoformat()}
        for step in stage.silence
    ]
    _look_ahead(stage)


def take(stage: Stage) -> dict[str, Any]:
    """Take the next step of the chain off, and return it."""
    step = stage.steps_left()[0]
    stage.silent_steps += 1
    _look_ahead(stage)
    return step


def next_moment(stage: Stage) -> datetime | None:
    """Return when silence takes its next step here, be it a reminder."""
    left = stage.steps_left()
    return moment(left[0]) if left else None


def after(step: dict[str, Any]) -> timedelta:
    return timedelta(seconds=step["after"])


def moment(step: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(step["at"])


def _look_ahead(stage: Stage) -> None:
    """Work out when silence next reminds, and when it next decides."""
    ahead, step = next_moment(stage), stage.next_step()
    stage.deadline_at = moment(step) if step else None
    stage.remind_at = ahead if ahead != stage.deadline_at else None
