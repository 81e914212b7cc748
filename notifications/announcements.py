"""What is told to everybody concerned, though it is about no request?

Stop buttons and broken glass: also whoever did it hears of it, since a stolen account
must not go unnoticed. And to those who run it, what does not go on by itself.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import Group
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from governance.ledger import Kind
from governance.models import Event, User
from governance.text_safety import visible_line
from notifications.models import Delivery
from notifications.transports.base import Message
from notifications.wording import explanation, headline
from policies.models import FlowStage

# Told everywhere people can be reached. Their ends are told in the console only.
WEBHOOKS = frozenset({Kind.WEBHOOK_DISABLED, Kind.WEBHOOK_STUCK})
TROUBLE = frozenset({Kind.TROUBLE_BEGAN, Kind.TROUBLE_ENDED})
# The operators' own.
OPERATING = WEBHOOKS | TROUBLE
LOUD = frozenset({Kind.FROZEN, Kind.GLASS_BROKEN, Kind.TROUBLE_BEGAN}) | WEBHOOKS
ANNOUNCED = LOUD | {Kind.THAWED, Kind.GLASS_MENDED, Kind.TROUBLE_ENDED}


def hearing(event: Event) -> set[User]:
    """Return administrators, whoever any flow could ask, and whoever did it."""
    if event.kind in OPERATING:
        return set(User.objects.filter(is_active=True, is_superuser=True))
    concerned = Q(is_superuser=True) | Q(groups__in=_named_by_flows())
    if event.actor_kind == "person":
        concerned |= Q(pk=event.actor_id)
    return set(User.objects.filter(concerned, is_active=True))


def _named_by_flows() -> list[int]:
    """Return the keys of the groups that flows ask, at first or later."""
    found: set[int] = set()
    for field in (FlowStage.groups, FlowStage.escalate_to, FlowStage.reassign_to):
        found |= set(field.through.objects.values_list("group_id", flat=True))
    chains = FlowStage.objects.values_list("silence", flat=True)
    names = {name for chain in chains for step in chain for name in step.get("to", ())}
    return [*found, *Group.objects.filter(name__in=names).values_list("pk", flat=True)]


def matter(event: Event) -> str:
    """Return in one line what it is about."""
    data = event.data
    if event.kind in WEBHOOKS:
        assert event.agent
        return f"{event.agent.name} at {visible_line(data['host'])}"
    if event.kind in TROUBLE:
        return visible_line(data["words"])
    pattern, agent = data["pattern"], data.get("only_agent")
    what = "Everything" if pattern == "*" else visible_line(pattern)
    return f"{what}, of {visible_line(agent)} only" if agent else what


def address(event: Event) -> str:
    """Return the page to look at, which every one of them may open."""
    if event.kind in (Kind.GLASS_BROKEN, Kind.GLASS_MENDED):
        return reverse("admin:approvals_breakglass_changelist")
    if event.kind in TROUBLE:
        return reverse("admin:notifications_delivery_changelist")
    if event.kind in WEBHOOKS:
        return reverse(
            "admin:notifications_webhook_change", args=[event.data["webhook"]]
        )
    return reverse("admin:index")


def compose(delivery: Delivery, to: str, host: str) -> Message:
    """Return the message about one event, for one reader."""
    event = delivery.event
    facts = [(_label(event), matter(event))]
    if why := event.data.get("reason"):
        facts.append(("Why", visible_line(why)))
    if until := event.data.get("ends_at"):
        facts.append(("Until", _moment(datetime.fromisoformat(until))))
    return Message(
        to=to,
        id=f"<event.{event.pk}.{delivery.pk}@{host}>",
        thread=f"<event.{event.pk}@{host}>",
        title=f"{headline(event)}: {matter(event)}",
        headline=headline(event),
        summary=matter(event),
        body=explanation(event),
        url=f"{settings.PUBLIC_URL}{address(event)}",
        facts=tuple(facts),
        why=(),
        parameters="",
        words="",
        context="",
        invitation="Look at it in the console (login required):",
        verb="Open the console",
    )


def _label(event: Event) -> str:
    if event.kind in TROUBLE:
        return "What"
    return "Webhook" if event.kind in WEBHOOKS else "Action"


def _moment(at: datetime) -> str:
    return f"{timezone.localtime(at):%d %b %Y, %H:%M %Z}"
