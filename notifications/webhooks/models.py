"""Where are agents told what became of their actions, and what were they told?"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Self
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from governance.models import Agent, Event, uuid7

# From one attempt to the next, as Standard Webhooks 1.0 proposes.
SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MAX_ATTEMPTS = len(SCHEDULE) + 1
# Whatever has kept attempts from being made: by then it is news to nobody.
LONGEST = timedelta(days=4)
# Longer than any attempt takes. A worker that died over one is missed after this.
LEASE = timedelta(seconds=45)
# A receiver that has failed as often in a row rests.
MANY_FAILURES = 5
ALARM_AGAIN = timedelta(days=1)
SHORTEST_REST, LONGEST_REST = timedelta(seconds=30), timedelta(minutes=10)


def message_id() -> str:
    return f"msg_{uuid7().hex}"


def patience(made: int) -> timedelta:
    """Return how long after so many attempts the next one is made.

    A little longer than the schedule says, and not the same for everything that failed
    in the same second.
    """
    step = SCHEDULE[min(made, len(SCHEDULE)) - 1]
    return step * random.uniform(1, 1.1)  # noqa: S311


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def active(self) -> Self:
        return self.filter(active=True)

    def ready(self, at: datetime) -> Self:
        """Those that do not rest, and for which something is due, longest due first."""
        rested = Q(rests_until=None) | Q(rests_until__lte=at)
        due = WebhookMessage.objects.due(at).filter(webhook=OuterRef("pk"))
        first = due.order_by("next_attempt_at").values("next_attempt_at")[:1]
        rows = self.active().filter(rested).annotate(first=models.Subquery(first))
        return rows.filter(Exists(due)).order_by("first", "pk")


class Webhook(models.Model):
    """An address at which an agent is told what became of its actions.

    Its secrets sign what is sent. They are kept sealed, and shown once.
    """

    agent = models.ForeignKey(Agent, models.PROTECT, related_name="webhooks")
    url = models.CharField("address", max_length=500)
    active = models.BooleanField(default=True)
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(editable=False)
    secret = models.TextField(editable=False)
    # The one before signs as well, until this.
    former_secret = models.TextField(blank=True, editable=False)
    former_until = models.DateTimeField(null=True, editable=False)
    # How often in a row it has failed, and until when it is left alone for that.
    failures = models.PositiveIntegerField(default=0, editable=False)
    rests_until = models.DateTimeField(null=True, editable=False)
    # When administrators last heard that messages are given up here.
    alarmed_at = models.DateTimeField(null=True, editable=False)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ["agent__name", "url"]
        default_permissions = ["add", "change", "view"]
        constraints = [
            models.UniqueConstraint(
                name="webhook_once_per_address", fields=["agent", "url"]
            ),
            models.CheckConstraint(
                name="webhook_disabled_at_unless_active",
                condition=Q(active=True, disabled_at=None)
                | Q(active=False, disabled_at__isnull=False),
            ),
            models.CheckConstraint(
                name="webhook_former_secret_has_an_end",
                condition=Q(former_secret="") | Q(former_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent} at {self.host}"

    @property
    def host(self) -> str:
        """Whose address it is. The rest may be as good as a password."""
        return urlsplit(self.url).hostname or ""

    def rest(self) -> timedelta | None:
        """How long to leave it alone after so many failures in a row."""
        doubled = self.failures - MANY_FAILURES
        if doubled < 0:
            return None
        return min(SHORTEST_REST * (1 << min(doubled, 10)), LONGEST_REST)


class WebhookMessageQuerySet(models.QuerySet["WebhookMessage"]):
    def waiting(self) -> Self:
        return self.filter(state=WebhookMessage.State.WAITING)

    def due(self, at: datetime) -> Self:
        return self.waiting().filter(next_attempt_at__lte=at)

    def idle(self, at: datetime) -> Self:
        """Those of which no attempt is under way, as far as anybody knows."""
        tries = WebhookAttempt.objects.filter(message=OuterRef("pk"), seconds=None)
        return self.exclude(Exists(tries.filter(at__gt=at - LEASE)))

    def stale(self, at: datetime) -> Self:
        """Those that wait for an attempt which would come too late to be of use."""
        return self.due(at).filter(queued_at__lte=at - LONGEST)

    def failed_since(self, at: datetime) -> Self:
        return self.filter(state=WebhookMessage.State.FAILED, made_at__gte=at)

    def claim(self, message: WebhookMessage, at: datetime) -> bool:
        """Take this attempt. False when another worker already has it.

        The next attempt is booked before this one starts, so a worker that dies
        half-way loses nothing but time.
        """
        same = self.due(at).filter(pk=message.pk, attempts=message.attempts)
        booked = at + max(LEASE, patience(message.attempts + 1))
        taken = same.update(attempts=F("attempts") + 1, next_attempt_at=booked)
        return taken == 1


class WebhookMessage(models.Model):
    """One thing an agent is told at one address, and how far it has come.

    The bytes are kept as they were first sent: a message that comes twice comes twice
    the same.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"

    webhook = models.ForeignKey(Webhook, models.PROTECT, related_name="messages")
    # Null for a test that an administrator has sent.
    event = models.ForeignKey(Event, models.PROTECT, null=True, related_name="+")
    # The webhook-id: what a receiver knows a message by that came twice.
    key = models.CharField(max_length=40, unique=True, default=message_id)
    type = models.CharField(max_length=50)
    body = models.TextField()
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    made_at = models.DateTimeField()
    # When it was made, or last sent again by a person.
    queued_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    objects = WebhookMessageQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ["view"]
        constraints = [
            models.UniqueConstraint(
                name="webhook_message_once", fields=["webhook", "event"]
            ),
            models.CheckConstraint(
                name="webhook_message_state_is_known",
                condition=Q(state__in=["waiting", "sent", "failed"]),
            ),
            models.CheckConstraint(
                name="webhook_message_sent_at_once_sent",
                condition=~Q(state="sent") | Q(sent_at__isnull=False),
            ),
        ]
        indexes = [
            # The outbox of one webhook.
            models.Index(
                name="webhook_message_due",
                fields=["webhook", "next_attempt_at"],
                condition=Q(state="waiting"),
            ),
            # What may be sent again.
            models.Index(
                name="webhook_message_failed",
                fields=["webhook", "made_at"],
                condition=Q(state="failed"),
            ),
        ]

    def __str__(self) -> str:
        return self.key

    def is_exhausted(self) -> bool:
        return self.attempts >= MAX_ATTEMPTS


class WebhookAttempt(models.Model):
    """One try to deliver a message. Noted before it is made, so that none is unknown."""

    message = models.ForeignKey(WebhookMessage, models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    # Null while it is under way, and for ever if its worker died over it.
    seconds = models.FloatField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    # How the answer began, with everything in it made visible.
    answer = models.TextField(blank=True)

    class Meta:
        ordering = ["pk"]
        default_permissions = []

    def __str__(self) -> str:
        return f"{self.message_id} at {self.at:%H:%M:%S}"
