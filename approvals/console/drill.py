"""Which requests are behind a number of the dashboard? The queue's filters for them.

They select by the words that the figures are counted by (``approvals.figures``), so that
a list has as many rows as the number said.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from approvals.console.dashboard import vigilance
from approvals.figures import measuring, selecting
from approvals.figures.present import voted
from approvals.models import ApprovalRequestQuerySet, Stage, Vote
from governance.models import User
from governance.moments import moment

Rows = ApprovalRequestQuerySet
HOW = (
    (selecting.PEOPLE, "By people"),
    (selecting.SILENCE, "By silence"),
    (selecting.GLASS, "By broken glass"),
    (selecting.WITHDRAWN, "Withdrawn, or judged again"),
)
SLA = (("missed", "Missed"), ("kept", "Kept"))
# What there is to choose from, by the name of the filter.
OPTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "state": (("open", "Waiting"),),
    "how": HOW,
    "sla": SLA,
}
CARE = {
    "quick": "in under 3 s",
    "unopened": "without opening it",
    "differed": "and contradicted",
}


def _days(text: str) -> str:
    first, _, last = (each[:16].replace("T", " ") for each in text.partition(".."))
    return first if last in ("", first) else f"{first} to {last}"


def _care(text: str) -> str:
    what, _, username = text.partition(":")
    return f"{CARE.get(what, what)}, by {username}"


def _sla(text: str) -> str:
    name, _, team = text.partition(":")
    return f"{dict(SLA).get(name, name)} by {team}"


# How a choice is said that no list of options has.
SAID: dict[str, Callable[[str], str]] = {
    "settled": _days,
    "voted": _days,
    "sla": _sla,
    "care": _care,
}


def span(text: str) -> tuple[datetime, datetime] | None:
    """Read ``2026-11-01..2026-11-30``, both days included, or from moment to moment."""
    first, _, last = text.partition("..")
    start, end = moment(first), moment(last or first, end=True)
    return (start, end) if start and end else None


def settled(rows: Rows, text: str) -> Rows:
    found = span(text)
    return rows.filter(selecting.settled(*found)) if found else rows


def voted_on(rows: Rows, text: str) -> Rows:
    """Select what people voted on in these days."""
    found = span(text)
    return rows.filter(pk__in=voted(*found).values("request")) if found else rows


def waiting(rows: Rows, state: str) -> Rows:
    return rows.filter(closed_at=None) if state == "open" else rows


def how(rows: Rows, name: str) -> Rows:
    if name not in dict(HOW):
        return rows
    return (
        rows.filter(closed_at__isnull=False).alias(how=selecting.how()).filter(how=name)
    )


def policy(rows: Rows, name: str) -> Rows:
    return rows.filter(action__reasons__0__policy=name)


def by(rows: Rows, username: str) -> Rows:
    """Select what this person voted on."""
    return rows.filter(_some(Vote.objects.filter(person__username=username)))


def stage(rows: Rows, name: str) -> Rows:
    """Select what one of the stages of this name decided on."""
    votes = selecting.deciding(Vote.objects.filter(stage__name=name))
    stages = Stage.objects.filter(name=name, opened_at__isnull=False)
    return rows.filter(_some(votes) | _some(stages))


def sla(rows: Rows, text: str) -> Rows:
    """Select by what any stage did, or one of this name: ``missed``, ``missed:Finance``."""
    name, _, team = text.partition(":")
    if name not in dict(SLA):
        return rows
    stages = selecting.timed(Stage.objects.all()).filter(kept=name == "kept")
    return rows.filter(_some(stages.filter(name=team) if team else stages))


def may_ask(person: User, text: str) -> bool:
    """Whether they lead the person whose care this is about."""
    what, _, username = text.partition(":")
    if what not in CARE:
        return True
    led = vigilance.led_by(person).filter(username=username)
    return vigilance.may_see(person) and led.exists()


def care(rows: Rows, text: str) -> Rows:
    """Select by how a person decided: ``quick:alice``, ``unopened:…``, ``differed:…``."""
    what, _, username = text.partition(":")
    votes = Vote.objects.filter(person__username=username)
    match what:
        case "quick":
            dwell = measuring.seconds("shown_at", "at")
            votes = votes.alias(dwell=dwell).filter(measuring.quick())
        case "unopened":
            votes = votes.filter(measuring.unopened())
        case "differed":
            votes = votes.filter(selecting.differing())
        case _:
            return rows
    return rows.filter(_some(votes))


def _some(found: Any) -> Q:
    return Q(Exists(found.filter(request=OuterRef("pk"))))
