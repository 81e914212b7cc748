"""By which ways does a message go, and when? Rules first, then what each person wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from governance.risk import BANDS
from notifications.routing.models import EMAIL, PERSONAL, SLACK, Place, Preference, Rule
from notifications.topics import LOUD, Topic
from policies import patterns

_COLLECTED = frozenset({Topic.ASKED, Topic.REMINDED})


@dataclass(frozen=True, slots=True)
class Case:
    """What a message is about, as far as its ways depend on it.

    Without a risk it is about no request, and always urgent.
    """

    topic: Topic
    action: str = ""
    groups: frozenset[str] = frozenset()
    risk: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The ways to people, whether groups' places hear of it, and whether a rule said so."""

    channels: frozenset[str]
    places: bool
    ruled: bool = True


@dataclass(frozen=True, slots=True)
class Way:
    """One channel to one person, and when."""

    channel: str
    at: datetime
    digest: bool = False


def route(case: Case) -> Route:
    """Return the ways of the first rule that fits, or the usual ones."""
    for rule in Rule.objects.prefetch_related("groups"):
        if _fits(rule, case):
            return Route(frozenset(rule.channels), rule.places)
    loud = case.topic in LOUD
    return Route(frozenset({EMAIL, SLACK} if loud else ()), loud, ruled=False)


def ways(
    case: Case, channels: frozenset[str], wants: Preference, at: datetime
) -> list[Way]:
    """Return how, and when, one person hears of it beside the console."""
    found = [name for name in PERSONAL if name in channels and wants.allows(name)]
    if _is_urgent(case, wants):
        return [Way(name, at) for name in found]
    if wants.muted_until and at < wants.muted_until:
        return []
    when = _after_quiet_hours(wants, at)
    return [_way(name, case, wants, when) for name in found]


def places(groups: frozenset[str]) -> list[Place]:
    """Return where these groups look."""
    rows = Place.objects.filter(is_active=True, group__name__in=groups)
    # Two groups may look at the same place: it hears once.
    return list({(row.channel, row.address): row for row in rows}.values())


def _fits(rule: Rule, case: Case) -> bool:
    groups = {group.name for group in rule.groups.all()}
    risk = case.risk if case.risk is not None else 100
    return (
        (not rule.topics or case.topic in rule.topics)
        and (not rule.actions or _covered(rule.actions, case.action))
        and (not groups or bool(groups & case.groups))
        and rule.least_risk <= risk <= rule.most_risk
    )


def _covered(wanted: list[str], action: str) -> bool:
    return any(patterns.matches(pattern, action) for pattern in wanted)


def _is_urgent(case: Case, wants: Preference) -> bool:
    return case.risk is None or case.risk >= wants.urgent_from


def _way(channel: str, case: Case, wants: Preference, at: datetime) -> Way:
    low = case.risk is not None and case.risk in BANDS["low"]
    if channel == EMAIL and low and wants.digest_minutes and case.topic in _COLLECTED:
        return Way(channel, _next_digest(wants.digest_minutes, at), digest=True)
    return Way(channel, at)


def _next_digest(minutes: int, at: datetime) -> datetime:
    """Return the next of moments that are so far apart: the same for all that waits."""
    step = minutes * 60
    return datetime.fromtimestamp((at.timestamp() // step + 1) * step, UTC)


def _after_quiet_hours(wants: Preference, at: datetime) -> datetime:
    """Return this moment, or the end of the quiet hours that it falls into."""
    if wants.quiet_from is None or wants.quiet_until is None:
        return at
    local = at.astimezone(ZoneInfo(wants.time_zone))
    if not _is_within(local.time(), wants.quiet_from, wants.quiet_until):
        return at
    end = datetime.combine(local.date(), wants.quiet_until, local.tzinfo)
    # A wall clock's arithmetic: the same hour of the next day, whatever summer does.
    return end if end > local else end + timedelta(days=1)


def _is_within(now: time, start: time, end: time) -> bool:
    if start <= end:
        return start <= now < end
    return now >= start or now < end
