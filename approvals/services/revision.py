"""What if the agent sends a changed version, or the rules have changed meanwhile?

Either way it becomes the next revision, with a digest, an evaluation and approvals of
its own: what people said about the one before never counts for this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import drift, judgement, stops
from approvals.course import Course
from approvals.errors import NotAllowed, NothingChanged, NotOpen, NotRevisable
from approvals.judgement import Judged
from approvals.models import REJUDGE, ApprovalRequest
from approvals.services import asking, glass, replay, storage
from approvals.services.deadlines import settle
from approvals.services.review import check_open
from approvals.services.submission import Proposal
from governance import canonical, clock
from governance.ledger import Actor, Kind
from governance.models import Action, Agent, Status, User
from policies import lookbacks, monitoring
from policies.rules import Decision

ATTEMPTS = 5
SENT = ("params", "resource", "reason", "context")


def revise(
    pk: UUID,
    agent: Agent,
    sent: Mapping[str, Any],
    *,
    idempotency_key: str | None = None,
) -> tuple[Course, bool]:
    """Judge and record a changed version. Return its course, and whether it was a replay.

    ``sent`` holds any of params, resource, reason and context; the rest is kept. Raises
    ``NotRevisable`` unless a person has asked for changes, and whatever ``submit`` does.
    """
    try:
        for _ in range(ATTEMPTS):
            with suppress(storage.Overtaken):
                return _revise(pk, agent, sent, idempotency_key)
    except stops.Frozen as refusal:
        name = Action.objects.values_list("name", flat=True).get(pk=pk)
        stops.record_refusal(agent, name, refusal)
        raise
    raise NotRevisable("The action is changing too quickly. Try again.")


@transaction.atomic
def _revise(
    pk: UUID, agent: Agent, sent: Mapping[str, Any], key: str | None
) -> tuple[Course, bool]:
    once = replay.Once(agent, f"revise:{pk}", key, dict(sent))
    if once.done():
        return storage.read(pk), True

    seen = storage.read(pk)
    _check_revisable(seen)
    proposal = _proposal(seen.action, sent)
    judged = judgement.judge(agent, proposal, replacing=seen.action)
    if judged.verdict.decision == Decision.REQUIRE_APPROVAL:
        asking.check_cap(agent, judged.at)
    action = _lock_as(seen).action
    judged = replace(judged, at=clock.now())

    action.params, action.resource = proposal.params, proposal.resource
    action.reason, action.context = proposal.reason, proposal.context
    action.digest = proposal.digest
    action.expires_at = _patience_ends(seen, judged.at)
    data = {"changes": dict(_changes(seen.action, action))}
    course = _follow(
        seen.action, action, judged, Kind.REVISED, Actor.agent(agent), data
    )
    glass.let_through(course)
    once.remember(action)
    return course, False


def _check_revisable(course: Course) -> None:
    course.lapse(clock.now())
    status = course.action.status
    if status != Status.CHANGES_REQUESTED:
        raise NotRevisable(
            f"The action is {status}. Only what a person wants changed can be revised."
        )


def _proposal(action: Action, sent: Mapping[str, Any]) -> Proposal:
    kept = {name: getattr(action, name) for name in SENT}
    return Proposal(action.name, **{**kept, **sent})


def _patience_ends(course: Course, at: datetime) -> datetime | None:
    """Return until when the agent waits: as long as for the version before.

    Judging again in between was not its doing, and has not started its time anew.
    """
    action, asked = course.action, course.request
    if action.expires_at is None or asked is None:
        return None
    earlier = action.requests.filter(revision__lt=asked.revision).order_by("-revision")
    for request in earlier:
        if request.outcome != ApprovalRequest.Outcome.SUPERSEDED:
            break
        asked = request
    return at + (action.expires_at - asked.opened_at)


def _changes(old: Action, new: Action) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what differs between two revisions, by name: ``params.amount``."""
    before = {f"params.{name}": value for name, value in old.params.items()}
    after = {f"params.{name}": value for name, value in new.params.items()}
    for name in SENT[1:]:
        before[name], after[name] = getattr(old, name), getattr(new, name)
    for name in sorted({*before, *after}):
        sides = {
            side: values[name]
            for side, values in (("old", before), ("new", after))
            if name in values
        }
        if len({canonical.canonical_bytes(side) for side in sides.values()}) == 2 or (
            len(sides) == 1
        ):
            yield name, sides


def rejudge(request: ApprovalRequest, person: User) -> Course:
    """Have a waiting request judged by the rules of now. Return the new course.

    The same parameters become the next revision: blocked, allowed, or put before those
    whom the flows of now name. Raises ``Changed`` unless ``request`` is the current one,
    ``NotOpen`` unless it waits, ``NotAllowed`` without the permission to, and
    ``NothingChanged`` where the rules still ask for the same: it would only take back
    what people have said, and give them their time anew.
    """
    settle(request.action_id)
    for _ in range(ATTEMPTS):
        try:
            return _rejudge(request, person)
        except storage.Overtaken:
            settle(request.action_id)
    raise NotOpen("This request is changing too quickly. Look at it again.")


@transaction.atomic
def _rejudge(request: ApprovalRequest, person: User) -> Course:
    seen = storage.read(request.action_id)
    check_open(seen, request, request.digest)
    judged = judgement.judge_again(seen.action)
    _check_permission(person, seen.action.agent)
    former = _lock_as(seen)
    judged = replace(judged, at=clock.now())
    former.lapse(judged.at)
    if former.happenings:
        raise storage.Overtaken
    if not drift.of(request, judged.at):
        raise NothingChanged("The rules still ask for the same. It waits as before.")

    groups = (group["name"] for stage in former.stages for group in stage.groups)
    asked = list(dict.fromkeys(groups))
    former.supersede(judged.at)
    storage.close(former, at=judged.at)
    data = {"changes": _other_verdict(seen, asked, judged)}
    return _follow(
        seen.action,
        former.action,
        judged,
        Kind.JUDGED_AGAIN,
        Actor.person(person),
        data,
    )


def _check_permission(person: User, agent: Agent) -> None:
    """Ask for the right behind the lock that whoever takes it away needs as well.

    Never the agent's owner: looser rules may let it through.
    """
    rows = User.objects.select_for_update(no_key=True).filter(pk=person.pk)
    if not rows.get().has_perm(f"approvals.{REJUDGE}"):
        raise NotAllowed("You may not have requests judged again.")
    if agent.owner_id == person.pk:
        raise NotAllowed("You own this agent: somebody else has it judged again.")


def _other_verdict(
    seen: Course, asked: list[str], judged: Judged
) -> dict[str, dict[str, Any]]:
    action, request = seen.action, seen.request
    assert request is not None
    reasons = [r for r in action.reasons if r["decision"] == action.decision]
    old: dict[str, Any] = {
        "decision": action.decision,
        "policies": [reason["policy"] for reason in reasons if reason["policy"]],
        "groups": asked,
        "rules": request.rules_revision,
    }
    new = {**drift.told(judged.verdict), "rules": judged.revision}
    return {name: {"old": old[name], "new": new[name]} for name in old}


# What both come down to


def _lock_as(seen: Course) -> Course:
    """Lock the action, and see to it that it still is what was judged."""
    course = storage.lock(seen.action.pk)
    if _standing(course) != _standing(seen):
        raise storage.Overtaken
    return course


def _standing(course: Course) -> tuple[int, str]:
    return course.action.revision, course.action.status


def _follow(
    former: Action,
    action: Action,
    judged: Judged,
    kind: Kind,
    actor: Actor,
    data: Mapping[str, Any],
) -> Course:
    """Make the action the next revision of ``former``, and let follow what follows."""
    action.revision = former.revision + 1
    asking.obey(action, judged)
    course = Course(action)
    course.happen(kind, judged.at, actor, **asking.evidence(action, judged), **data)
    asking.proceed(course, judged)
    storage.save_revision(course, former, at=judged.at)
    lookbacks.record_entries(action, judged.counted)
    monitoring.record(action, judged.verdict, judged.at)
    return course
