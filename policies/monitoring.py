"""What has a policy on trial seen, and what would it have changed?

Every match of a policy in mode ``monitor`` leaves a row in the transaction of the
submission. A trial begins when the policy goes on trial, and anew when what it says
changes: matches of another condition tell nothing about this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Q
from django.utils import timezone

from governance.models import Action
from policies.bodies import Body, Subject
from policies.models import MonitorMatch, Policy, Version
from policies.rules import Decision, Mode
from policies.verdicts import Reason, Verdict

LATEST = 20
DAYS = 14
_LONGEST_PROBLEM = 300
# What a policy says, apart from the words that explain it.
_SAYS = ("actions", "when", "decision", "flow", "mode")


def record(action: Action, verdict: Verdict, at: datetime) -> None:
    """Keep what the policies on trial would have said to this revision of the action.

    Called in the transaction that judged it, under the shared lock of the rules.
    """
    if not verdict.monitored:
        return
    names = [reason.policy for reason in verdict.monitored]
    found = Policy.objects.filter(name__in=names).values_list(
        "name", "pk", "flow__name"
    )
    rows = {name: (pk, flow) for name, pk, flow in found}
    problems = {
        entry["policy"]: entry["error"]
        for entry in verdict.trace["policies"]
        if "error" in entry
    }
    MonitorMatch.objects.bulk_create(
        MonitorMatch(
            policy_id=rows[reason.policy][0],
            version=reason.version or 1,
            action=action,
            revision=action.revision,
            differs=differs(reason, rows[reason.policy][1], verdict),
            problem=problems.get(reason.policy, "")[:_LONGEST_PROBLEM],
            at=at,
        )
        for reason in verdict.monitored
        if reason.policy in rows
    )


def differs(said: Reason, flow: str | None, verdict: Verdict) -> bool:
    """Whether the verdict would have been another one with this policy enforced.

    Another decision, or further people asked for the same one.
    """
    if said.decision == verdict.decision:
        return said.decision == Decision.REQUIRE_APPROVAL and flow not in verdict.flows
    if verdict.trace["default"]:
        # The default speaks only when nobody else does.
        return True
    return said.decision.strictness > verdict.decision.strictness


@dataclass(frozen=True, slots=True)
class Day:
    on: date
    matched: int
    changed: int
    # Of the day with the most, for a bar.
    share: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What a policy on trial would have done since the trial began."""

    began: Version
    decision: Decision
    matched: int
    changed: int
    days: list[Day]
    latest: list[MonitorMatch]


def trial(policy: Policy, at: datetime) -> Trial | None:
    """Return what became of the trial so far, None if the policy is not on trial."""
    if policy.mode != Mode.MONITOR:
        return None
    versions = _versions(policy)
    if not versions:
        return None
    numbers = [version.number for version in versions]
    matches = MonitorMatch.objects.filter(policy=policy, version__in=numbers)
    began = versions[-1]
    buckets = list(_buckets(began.revision.created_at, at))
    counted = matches.order_by().aggregate(
        matched=Count("pk"),
        changed=Count("pk", filter=Q(differs=True)),
        **_per_day(buckets),
    )
    latest = matches.select_related("action__agent").order_by("-at")
    return Trial(
        began=began,
        decision=Decision(policy.decision),
        matched=counted["matched"],
        changed=counted["changed"],
        days=list(_days(buckets, counted)),
        latest=list(latest[:LATEST]),
    )


def _versions(policy: Policy) -> list[Version]:
    """Return the versions of this trial, newest first: those that say the same."""
    rows = Version.objects.filter(subject=Subject.POLICY, name=policy.name)
    rows = rows.select_related("revision__author").order_by("-number")
    found: list[Version] = []
    for version in rows[:200]:
        if _said(version.fields()) != _said((found or [version])[0].fields()):
            break
        found.append(version)
    return found


def _said(body: Body) -> list[Any]:
    return [body.get(name) for name in _SAYS]


def _buckets(began: datetime, at: datetime) -> Iterator[tuple[date, datetime]]:
    """Yield the latest days of the trial, in the console's time zone, newest first."""
    today = timezone.localtime(at).date()
    first = max(timezone.localtime(began).date(), today - timedelta(days=DAYS - 1))
    for back in range((today - first).days + 1):
        day = today - timedelta(days=back)
        yield day, timezone.make_aware(datetime.combine(day, time()))


def _per_day(buckets: list[tuple[date, datetime]]) -> dict[str, Count]:
    counts = {}
    for index, (_, begins) in enumerate(buckets):
        within = Q(at__gte=begins)
        if index:
            within &= Q(at__lt=buckets[index - 1][1])
        counts[f"matched_{index}"] = Count("pk", filter=within)
        counts[f"changed_{index}"] = Count("pk", filter=within & Q(differs=True))
    return counts


def _days(
    buckets: list[tuple[date, datetime]], counted: dict[str, int]
) -> Iterator[Day]:
    most = max(
        (counted[f"matched_{index}"] for index, _ in enumerate(buckets)), default=0
    )
    for index, (day, _) in enumerate(buckets):
        matched = counted[f"matched_{index}"]
        share = round(100 * matched / most) if most else 0
        yield Day(day, matched, counted[f"changed_{index}"], share)
