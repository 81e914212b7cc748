"""How does a plan become the rules in force? In one step, and for good on record.

Only ``policies.services`` calls this, behind the lock of the rules.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db.models import Max

from governance import clock, ledger
from governance.ledger import Kind
from governance.models import User
from governance.services import by
from policies import checks, lookbacks, rows, rulesets
from policies.bodies import Subject
from policies.models import Revision, RuleSet, Version
from policies.plan import Change, Plan, Reordering

_STREAM_LENGTH = 120


def apply(
    plan: Plan,
    groups: Sequence[str],
    author: User | None,
    note: str,
    confirmed_by: User | None = None,
) -> list[Version]:
    """Write the plan. The caller holds the rules' lock and has checked it."""
    rows.create_groups(groups)
    numbers = _numbers(plan)
    revision = _next_revision(plan, author, note, confirmed_by)
    versions = [_put(each, numbers, revision) for each in plan.changes]
    for subject in rows.ORDERED:
        rows.write_order(subject, list(plan.after[subject]))
    for reordering in plan.reorderings:
        _record_order(reordering, revision)
    return versions


def _next_revision(
    plan: Plan, author: User | None, note: str, confirmed_by: User | None
) -> Revision:
    rules, _ = RuleSet.objects.get_or_create(pk=1)
    rules.revision += 1
    rules.stamp = uuid.uuid4()
    rules.save(update_fields=["revision", "stamp"])
    return Revision.objects.create(
        number=rules.revision,
        author=author,
        confirmed_by=confirmed_by,
        note=note,
        orders={str(subject): list(plan.after[subject]) for subject in rows.ORDERED},
        created_at=clock.now(),
    )


def _numbers(plan: Plan) -> dict[checks.Place, int]:
    """Return the last version number of every rule the plan touches."""
    subjects = {str(each.subject) for each in plan.changes}
    last = Version.objects.filter(subject__in=subjects).order_by()
    found = last.values_list("subject", "name").annotate(number=Max("number"))
    return {(Subject(subject), name): number for subject, name, number in found}


def _put(each: Change, numbers: dict[checks.Place, int], revision: Revision) -> Version:
    number = numbers.get((each.subject, each.name), 0) + 1
    version = Version.objects.create(
        revision=revision,
        subject=each.subject,
        name=each.name,
        number=number,
        body=each.after,
    )
    if each.after is not None:
        rows.write(each.subject, each.after, number)
    elif each.before is not None:
        rows.remove(each.subject, each.before)
    if each.subject is Subject.LOOKBACK and _counts_anew(each):
        lookbacks.rebuild(rulesets.lookback(each.after or {}), clock.now())
    _record(each, number, revision)
    return version


def _counts_anew(each: Change) -> bool:
    return each.after is not None and any(
        change.field != "name" for change in each.fields
    )


def _record(each: Change, number: int, revision: Revision) -> None:
    ledger.record(
        Kind.POLICY_CHANGED,
        at=clock.now(),
        actor=by(revision.author),
        stream=f"{each.subject}:{each.name}"[:_STREAM_LENGTH],
        subject=str(each.subject),
        name=each.name,
        version=number,
        mode=(each.after or {}).get("mode"),
        removed=each.after is None,
        changes={
            change.field: {"old": change.old, "new": change.new}
            for change in each.fields
        },
        **_why(revision),
    )


def _record_order(moved: Reordering, revision: Revision) -> None:
    ledger.record(
        Kind.POLICY_CHANGED,
        at=clock.now(),
        actor=by(revision.author),
        stream=f"{moved.subject}:order",
        subject=str(moved.subject),
        changes={"order": {"old": list(moved.before), "new": list(moved.after)}},
        **_why(revision),
    )


def _why(revision: Revision) -> dict[str, Any]:
    second = revision.confirmed_by
    return {
        "note": revision.note,
        "revision": revision.number,
        "confirmed_by": second.get_username() if second else None,
    }
