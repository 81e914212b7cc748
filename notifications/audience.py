"""Who hears of what?

People who are asked to decide hear of it everywhere they can be reached; the outcome is
told in the console only. Nobody is asked about their own agent, or asked again after
they have answered.
"""

from __future__ import annotations

from approvals import routing
from approvals.models import ApprovalRequest, Stage, Vote
from governance.ledger import Kind
from governance.models import Event, User

ASKING = frozenset(
    {
        Kind.STAGE_OPENED,
        Kind.REMINDED,
        Kind.ESCALATED,
        Kind.SLA_BREACHED,
        Kind.HELD,
    }
)
SETTLING = frozenset(
    {
        Kind.APPROVED,
        Kind.REJECTED,
        Kind.EXPIRED,
        Kind.CHANGES_REQUESTED,
        Kind.CANCELLED,
    }
)


def hearing(event: Event, request: ApprovalRequest) -> set[User]:
    """Return the people to tell about this event."""
    if event.kind == Kind.UNREACHABLE:
        return administrators()
    if event.kind in ASKING:
        return _asked(event, request)
    return _involved(request) - _author(event)


def administrators() -> set[User]:
    return set(User.objects.filter(is_active=True, is_superuser=True))


def is_asked(person: User, request: ApprovalRequest) -> bool:
    """Whether this person's answer is still wanted, here and now."""
    return (
        person.pk != request.action.agent.owner_id
        and routing.may_see_as_decider(person, request)
        and not Vote.objects.filter(request=request, person=person).exists()
    )


def may_hear(person: User, event: Event, request: ApprovalRequest) -> bool:
    """Whether a message that was meant for this person may still go out to them."""
    if event.kind in ASKING:
        return is_asked(person, request)
    return person.is_active and person.is_superuser and request.closed_at is None


def _asked(event: Event, request: ApprovalRequest) -> set[User]:
    """Return whose answer was wanted when it happened, even if one has come since."""
    stages = request.stages.filter(name=event.data["stage"], opened_at__isnull=False)
    votes = Vote.objects.filter(request=request, at__lte=event.at)
    answered = {key for pair in votes.values_list("person", "seat") for key in pair}
    return {who for who in _members(request, list(stages)) if who.pk not in answered}


def _involved(request: ApprovalRequest) -> set[User]:
    """Return who was asked, who spoke, and the agent's owner."""
    people = _members(request, list(request.stages.filter(opened_at__isnull=False)))
    voters = User.objects.filter(votes__request=request, is_active=True)
    owner = request.action.agent.owner
    return people | set(voters) | ({owner} if owner and owner.is_active else set())


def _members(request: ApprovalRequest, stages: list[Stage]) -> set[User]:
    able = routing.able(stages, request.action.agent.owner)
    return set(User.objects.filter(pk__in=set().union(*able)))


def _author(event: Event) -> set[User]:
    """Return who did it: they know."""
    if event.actor_kind != "person":
        return set()
    return set(User.objects.filter(pk=event.actor_id))
