"""Who hears of what?

People who are asked to decide hear of it everywhere they can be reached; the outcome is
told in the console only. Nobody is asked about their own agent, or asked again after
they have answered. Whoever stands in for somebody is asked in their place.
"""

from __future__ import annotations

from approvals import routing
from approvals.deciders import acting_for
from approvals.models import ApprovalRequest, Stage, Vote
from governance.clock import WallClock
from governance.ledger import Kind
from governance.models import Event, User
from notifications.models import Delivery
from notifications.routing.addresses import wanted

ASKING = frozenset(
    {
        Kind.STAGE_OPENED,
        Kind.REMINDED,
        Kind.ESCALATED,
        Kind.SLA_BREACHED,
        Kind.HELD,
        Kind.REASSIGNED,
    }
)
SETTLING = frozenset(
    {
        Kind.APPROVED,
        Kind.REJECTED,
        Kind.EXPIRED,
        Kind.CHANGES_REQUESTED,
        Kind.CANCELLED,
        Kind.BYPASSED,
        Kind.BYPASS_REVIEWED,
    }
)


def hearing(event: Event, request: ApprovalRequest) -> set[User]:
    """Return the people to tell about this event."""
    if event.kind == Kind.UNREACHABLE:
        return administrators()
    if event.kind in ASKING:
        return _asked(event, request)
    return (_involved(request) | _answerable(request)) - _author(event)


def administrators() -> set[User]:
    return set(User.objects.filter(is_active=True, is_superuser=True))


def is_asked(person: User, request: ApprovalRequest) -> bool:
    """Whether this person's answer is still wanted, here and now."""
    wanted = ApprovalRequest.objects.to_decide(person).filter(pk=request.pk)
    return person.is_active and wanted.exists()


def may_hear(delivery: Delivery, request: ApprovalRequest) -> bool:
    """Whether a message may still go out to whom it was meant for."""
    kind, person = delivery.event.kind, delivery.person
    if person is None:
        return kind in SETTLING or request.closed_at is None
    if kind in ASKING:
        return is_asked(person, request)
    if kind in SETTLING:
        return person.is_active
    return person.is_active and person.is_superuser and request.closed_at is None


def groups_asked(request: ApprovalRequest) -> set[str]:
    """Return the groups whose answer is, or was, wanted by now."""
    opened = request.stages.filter(opened_at__isnull=False)
    return {group["name"] for stage in opened for group in stage.groups}


def _asked(event: Event, request: ApprovalRequest) -> set[User]:
    """Return whose answer was wanted when it happened, even if one has come since."""
    stages = request.stages.filter(name=event.data["stage"], opened_at__isnull=False)
    votes = Vote.objects.filter(request=request, at__lte=event.at)
    pairs = votes.values_list("person", "seat")
    answered = {key for pair in pairs for key in pair if key is not None}
    return _people(
        _acting(request, _members(request, list(stages)) - answered, answered)
    )


def _involved(request: ApprovalRequest) -> set[User]:
    """Return who was asked, who spoke, and the agent's owner if they want to hear."""
    opened = list(request.stages.filter(opened_at__isnull=False))
    members = _members(request, opened)
    voters = User.objects.filter(votes__request=request, is_active=True)
    owner = request.action.agent.owner
    concerned = set(voters)
    if owner and owner.is_active and wanted(owner).own_agents:
        concerned.add(owner)
    return concerned | _people(members | _acting(request, members, set()))


def _acting(
    request: ApprovalRequest, members: set[int], answered: set[int]
) -> set[int]:
    """Return who does these people's work now, in whose place they are told."""
    owner = request.action.agent.owner_id
    return set(acting_for(members, answered, owner, WallClock()).values())


def _members(request: ApprovalRequest, stages: list[Stage]) -> set[int]:
    return set().union(*routing.able(stages, request.action.agent.owner))


def _people(keys: set[int]) -> set[User]:
    return set(User.objects.filter(pk__in=keys))


def _answerable(request: ApprovalRequest) -> set[User]:
    """Return who let it through without approval, if somebody did."""
    glass = request.broken_glass
    return {glass.person} if glass and glass.person.is_active else set()


def _author(event: Event) -> set[User]:
    """Return who did it: they know."""
    if event.actor_kind != "person":
        return set()
    return set(User.objects.filter(pk=event.actor_id))
