"""Which words and which colour does a person see for a state, a risk, a time?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime

from approvals import silence
from approvals.course import Course
from approvals.models import ApprovalRequest, Stage, Vote
from governance import risk
from governance.models import Status

SOON = timedelta(hours=1)
NOW = timedelta(minutes=15)
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


@dataclass(frozen=True, slots=True)
class Label:
    """A few words, and the tone they are shown in: good, bad, warn, info or quiet."""

    text: str
    tone: str = "quiet"


STATUSES = {
    Status.ALLOWED: Label("Allowed", "good"),
    Status.BLOCKED: Label("Blocked", "bad"),
    Status.PENDING: Label("Waiting", "info"),
    Status.CHANGES_REQUESTED: Label("Changes requested", "warn"),
    Status.APPROVED: Label("Approved", "good"),
    Status.REJECTED: Label("Rejected", "bad"),
    Status.EXPIRED: Label("Expired"),
    Status.CANCELLED: Label("Withdrawn"),
    Status.EXECUTING: Label("Running", "info"),
    Status.SUCCEEDED: Label("Done", "good"),
    Status.FAILED: Label("Failed", "bad"),
    Status.UNKNOWN: Label("Outcome unknown", "warn"),
}
VERDICTS = {
    Vote.Verdict.APPROVE: Label("approved", "good"),
    Vote.Verdict.REJECT: Label("rejected", "bad"),
    Vote.Verdict.REQUEST_CHANGES: Label("asked for changes", "warn"),
}


@dataclass(frozen=True, slots=True)
class Risk:
    points: int

    @property
    def band(self) -> str:
        return risk.band_of(self.points).capitalize()


def status_of(course: Course) -> Label:
    """Say where the request stands; an earlier revision keeps its own outcome."""
    request = course.request
    if request and request.revision != course.action.revision:
        return outcome(request)
    return STATUSES[Status(course.action.status)]


def outcome(request: ApprovalRequest) -> Label:
    """Say how one request ended, whatever has become of its action since."""
    if request.outcome == ApprovalRequest.Outcome.SUPERSEDED:
        return Label("Judged again")
    return STATUSES[Status(request.outcome or ApprovalRequest.Outcome.CANCELLED)]


def time_left(course: Course, at: datetime) -> Label | None:
    """Say how long people have, None when nothing is waited for."""
    action = course.action
    if action.status != Status.PENDING:
        return None
    if action.deadline_at is None:
        return Label("No deadline", "warn" if is_late(course, at) else "quiet")
    left, late = action.deadline_at - at, is_late(course, at)
    tone = "bad" if left <= NOW else "warn" if late or left <= SOON else "quiet"
    return Label(f"{'Late, ' if late else ''}{span(left)} left", tone)


def is_late(course: Course, at: datetime) -> bool:
    """Whether an answer has taken longer than the stage promised, in its hours."""
    return any(
        stage.sla and (stage.sla_at is None or stage.sla_at <= at)
        for stage in course.open_stages()
    )


def span(time: timedelta) -> str:
    """Say a duration in its two largest units: ``3 h 40 min``."""
    rest = int(time.total_seconds())
    parts: list[str] = []
    for unit, seconds in _UNITS:
        amount, rest = divmod(rest, seconds)
        if amount or parts:
            parts.append(f"{amount} {unit}" if amount else "")
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts)) or "under a minute"


def moment(at: datetime) -> str:
    """Say a time as the people of this installation read it."""
    return date_format(localtime(at), "SHORT_DATETIME_FORMAT")


def listed(names: list[str], last: str = "and") -> str:
    """Join names as people do: ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


@dataclass(frozen=True, slots=True)
class Ahead:
    """What silence will do, and when. ``at`` is None for what has no moment."""

    text: str
    at: datetime | None


def ahead(stage: Stage) -> list[Ahead]:
    """Say everything that happens at this stage while nobody decides, in order."""
    steps = [Ahead(_silent(step), silence.moment(step)) for step in stage.steps_left()]
    return steps or [Ahead("It goes on waiting until somebody decides.", None)]


def _silent(step: dict[str, Any]) -> str:
    match step["do"]:
        case "remind":
            return "Whoever has not answered is reminded."
        case "escalate":
            further = [group["name"] for group in step["groups"]]
            return f"{listed(further) or 'Nobody else'} will be asked as well."
        case "hold":
            return "It goes on waiting, without a deadline."
        case "approve":
            return (
                f"It is approved by itself if its risk is at most {step['max_risk']}."
            )
        case _:
            return "It expires, and the agent may not do it."


def progress(course: Course) -> str:
    """Say how far it is and who is still needed: ``1 of 2, waiting for Finance``."""
    got, needed = course.progress()
    if not needed:
        return "Approved by silence"
    waiting = listed([stage.name for stage in course.open_stages()])
    return f"{got} of {needed}" + (f", waiting for {waiting}" if waiting else "")
