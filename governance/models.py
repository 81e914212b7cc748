"""Who acts, what they asked for, and what is on record."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import uuid_utils.compat
from django.contrib.auth.models import AbstractUser
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


def uuid7() -> UUID:
    """Return an id that sorts by the time it was made (RFC 9562, version 7)."""
    return uuid_utils.compat.uuid7()


def first_uuid7(at: datetime) -> UUID:
    """Return the lowest id that can have been made at this moment, or later."""
    milliseconds = max(0, int(at.timestamp() * 1000))
    return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62)


slug = RegexValidator(
    r"\A[a-z0-9]+(?:[-_.][a-z0-9]+)*\Z",
    "Use lower-case letters, digits and single hyphens, dots or underscores.",
)


class User(AbstractUser):
    """A person who can log in."""

    class Meta(AbstractUser.Meta):
        verbose_name = "person"
        verbose_name_plural = "people"
        permissions = [("assign_roles", "Can give and take roles")]

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class AgentQuerySet(models.QuerySet["Agent"]):
    def working(self) -> Self:
        return self.filter(suspended=False)


class Agent(models.Model):
    """A program that asks before it acts."""

    name = models.CharField(max_length=100, unique=True, validators=[slug])
    description = models.CharField(max_length=200, blank=True)
    # Four eyes: the owner never decides on what the agent asks.
    owner = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="agents"
    )
    environment = models.CharField(max_length=50, default="production")
    tags = models.JSONField(default=list, blank=True)
    suspended = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = AgentQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        permissions = [("suspend_agent", "Can suspend and resume agents")]

    def __str__(self) -> str:
        return self.name


class AgentKey(models.Model):
    """A key an agent proves itself with. The secret is shown once and never stored."""

    agent = models.ForeignKey(Agent, models.PROTECT, related_name="keys")
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    secret_sha256 = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["agent", "-created_at"]

    def __str__(self) -> str:
        return f"agk_{self.prefix}_…"

    def is_live(self, at: datetime) -> bool:
        return self.revoked_at is None and (
            self.expires_at is None or at < self.expires_at
        )


class FreezeQuerySet(models.QuerySet["Freeze"]):
    def active(self) -> Self:
        return self.filter(thawed_at=None)


class Freeze(models.Model):
    """A stop button that is pressed: nothing its pattern covers is submitted or spent."""

    pattern = models.CharField(max_length=100, help_text="* stops everything.")
    reason = models.CharField(max_length=500)
    frozen_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    frozen_at = models.DateTimeField()
    thawed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    thawed_at = models.DateTimeField(null=True)
    thaw_reason = models.CharField(max_length=500, blank=True)

    objects = FreezeQuerySet.as_manager()
    frozen = ("pattern", "reason", "frozen_by", "frozen_at")

    class Meta:
        ordering = ["-id"]
        verbose_name = "stop button"
        verbose_name_plural = "stop buttons"
        default_permissions = ["view"]
        permissions = [("freeze_actions", "Can freeze and thaw actions")]
        constraints = [
            models.UniqueConstraint(
                name="freeze_once_at_a_time",
                fields=["pattern"],
                condition=Q(thawed_at=None),
            )
        ]

    def __str__(self) -> str:
        return self.pattern


class ActionType(models.Model):
    """What the catalogue knows about one kind of action."""

    name = models.CharField(max_length=100, unique=True)
    title = models.CharField(max_length=200, blank=True)
    base_risk = models.PositiveSmallIntegerField(default=0)
    reversible = models.BooleanField(default=False)
    grant = models.DurationField(
        default=timedelta(hours=1),
        help_text="How long an allowed or approved action may be consumed.",
    )
    summary = models.CharField(
        max_length=300,
        blank=True,
        help_text="The line people see, e.g. Refund {params.amount} to {params.customer_id}.",
    )
    params_schema = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="action_type_base_risk_at_most_100",
                condition=Q(base_risk__lte=100),
            )
        ]

    def __str__(self) -> str:
        return self.title or self.name


class Resource(models.Model):
    """How sensitive a thing is that actions touch. ``*`` in the id matches any."""

    type = models.CharField(max_length=100)
    pattern = models.CharField("id", max_length=200, default="*")
    sensitivity = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["type", "pattern"]
        constraints = [
            models.UniqueConstraint(
                name="resource_once_per_pattern", fields=["type", "pattern"]
            ),
            models.CheckConstraint(
                name="resource_sensitivity_at_most_100",
                condition=Q(sensitivity__lte=100),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type}:{self.pattern}"


class Status(models.TextChoices):
    ALLOWED = "allowed"
    BLOCKED = "blocked"
    PENDING = "pending"
    CHANGES_REQUESTED = "changes_requested", "Changes requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    EXECUTING = "executing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


GRANTED = frozenset({Status.ALLOWED, Status.APPROVED})
WITHDRAWABLE = GRANTED | {Status.PENDING, Status.CHANGES_REQUESTED}
# What went ahead, or still may: the statuses that lookbacks count.
COUNTED = WITHDRAWABLE | {
    Status.EXECUTING,
    Status.SUCCEEDED,
    Status.FAILED,
    Status.UNKNOWN,
}


class ActionQuerySet(models.QuerySet["Action"]):
    def of(self, agent: Agent) -> Self:
        return self.filter(agent=agent)

    def pending(self) -> Self:
        return self.filter(status=Status.PENDING)

    def overdue(self, at: datetime) -> Self:
        """Pending actions on which silence has something to say, oldest first."""
        return self.pending().filter(due_at__lte=at).order_by("due_at")

    def in_status_or_due(self, status: str, at: datetime) -> Self:
        """In this status, or in one that the clock may have ended by now."""
        granted = [str(each) for each in GRANTED]
        return self.filter(
            Q(status=status)
            | Q(status=Status.PENDING, due_at__lte=at)
            | Q(status__in=granted, grant_expires_at__lte=at)
        )

    def waiting_at(self, at: datetime) -> Self:
        """Pending, and not past the moment at which silence decides."""
        return self.pending().filter(Q(deadline_at=None) | Q(deadline_at__gt=at))

    def lapsed(self, at: datetime) -> Self:
        """Permissions nobody used in time, oldest first."""
        granted = self.filter(status__in=[str(status) for status in GRANTED])
        return granted.filter(grant_expires_at__lte=at).order_by("grant_expires_at")


class Action(models.Model):
    """One thing an agent wants to do, and how far it has come.

    What would run (name, params, resource) never changes within a revision: a trigger
    in the database sees to it. Only ``approvals.services`` writes ``status``.
    """

    class Decision(models.TextChoices):
        ALLOW = "ALLOW"
        BLOCK = "BLOCK"
        REQUIRE_APPROVAL = "REQUIRE_APPROVAL", "Require approval"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    agent = models.ForeignKey(Agent, models.PROTECT, related_name="actions")
    name = models.CharField(max_length=100)
    params = models.JSONField(default=dict)
    resource = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    context = models.JSONField(default=dict)
    revision = models.PositiveSmallIntegerField(default=1)
    digest = models.CharField(max_length=71)
    summary = models.CharField(max_length=300, blank=True)
    reversible = models.BooleanField(default=False)
    decision = models.CharField(max_length=16, choices=Decision)
    reasons = models.JSONField(default=list)
    risk = models.PositiveSmallIntegerField(default=0)
    status = models.CharField(max_length=17, choices=Status, editable=False)
    grant = models.DurationField(default=timedelta(hours=1))
    # The agent's own patience: it may only shorten what the flow allows.
    expires_at = models.DateTimeField(null=True)
    # When silence decides next. Null unless pending, and while it may wait for ever.
    deadline_at = models.DateTimeField(null=True)
    # When the clock next has work here: the deadline, or an SLA mark before it.
    due_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    # When policies decided on this revision: budgets count it in the window of then.
    judged_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    grant_expires_at = models.DateTimeField(null=True)
    consumed_at = models.DateTimeField(null=True)
    outcome_detail = models.JSONField(null=True)

    objects = ActionQuerySet.as_manager()
    frozen = ("agent", "name", "params", "resource", "digest", "created_at")
    thawed_by = "revision"

    class Meta:
        ordering = ["-id"]
        default_permissions = ["view"]
        constraints = [
            models.CheckConstraint(
                name="action_status_is_known", condition=Q(status__in=Status.values)
            ),
            models.CheckConstraint(
                name="action_settled_at_unless_open",
                condition=Q(
                    status__in=["pending", "changes_requested"], settled_at=None
                )
                | (
                    ~Q(status__in=["pending", "changes_requested"])
                    & Q(settled_at__isnull=False)
                ),
            ),
            models.CheckConstraint(
                name="action_consumed_at_only_after_a_grant",
                condition=Q(consumed_at=None)
                | Q(grant_expires_at__gte=F("consumed_at")),
            ),
            models.CheckConstraint(
                name="action_granted_has_an_end",
                condition=~Q(status__in=["allowed", "approved"])
                | Q(grant_expires_at__isnull=False),
            ),
        ]
        indexes = [
            # An agent's own list, newest first.
            models.Index(name="action_of_agent", fields=["agent", "-id"]),
            # The sweep of what silence decides.
            models.Index(
                name="action_due", fields=["due_at"], condition=Q(status="pending")
            ),
            # The cap on what one agent may have waiting.
            models.Index(
                name="action_pending_of_agent",
                fields=["agent"],
                condition=Q(status="pending"),
            ),
            # The latest of one kind.
            models.Index(name="action_of_name", fields=["name", "id"]),
            # What people were asked about the same kind of action, newest first.
            models.Index(
                name="action_asked_by_name",
                fields=["name", "-id"],
                condition=Q(decision="REQUIRE_APPROVAL"),
            ),
            # The sweep of permissions that nobody used.
            models.Index(
                name="action_grant_end",
                fields=["grant_expires_at"],
                condition=Q(status__in=["allowed", "approved"]),
            ),
        ]

    def __str__(self) -> str:
        return self.summary or self.name


class IdempotencyKey(models.Model):
    """A retried call finds here what its first try did.

    ``scope`` is the call, and the action it was made on: keys never collide across
    agents, calls or actions.
    """

    agent = models.ForeignKey(Agent, models.PROTECT, related_name="+")
    scope = models.CharField(max_length=60)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    action = models.ForeignKey(Action, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                name="idempotency_key_once", fields=["agent", "scope", "key"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"


class EventQuerySet(models.QuerySet["Event"]):
    def about(self, action: Action) -> Self:
        return self.filter(action=action).order_by("id")


class Event(models.Model):
    """One step, on record for good. Triggers refuse to change or remove it.

    ``governance.ledger.record`` is the only writer. ``body`` holds the canonical JSON
    of everything that is recorded; the columns repeat what is searched for.
    """

    stream = models.CharField(max_length=120)
    kind = models.CharField(max_length=40)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=40, blank=True)
    actor_name = models.CharField(max_length=150, blank=True)
    # Each is found by an index of its own, which begins with it.
    action = models.ForeignKey(
        Action, models.PROTECT, null=True, related_name="events", db_index=False
    )
    agent = models.ForeignKey(
        Agent, models.PROTECT, null=True, related_name="events", db_index=False
    )
    # The action's name, and its status after this step.
    action_name = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=17, blank=True)
    # The policy that decided in this step, or that was changed in it.
    policy = models.CharField(max_length=100, blank=True)
    body = models.TextField()
    # Filled when events are chained and sealed.
    previous_sha256 = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)

    objects = EventQuerySet.as_manager()
    append_only = True

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit log"
        default_permissions = ["view"]
        permissions = [("export_event", "Can export the audit log")]
        indexes = [
            # The story of one action.
            models.Index(name="event_of_action", fields=["action", "id"]),
            # The audit log, newest first: all of it, and by each of its filters.
            models.Index(name="event_by_time", fields=["at", "id"]),
            models.Index(name="event_by_kind", fields=["kind", "at", "id"]),
            models.Index(name="event_by_agent", fields=["agent", "at", "id"]),
            models.Index(name="event_by_name", fields=["action_name", "at", "id"]),
            models.Index(name="event_by_status", fields=["status", "at", "id"]),
            models.Index(
                name="event_by_policy",
                fields=["policy", "at", "id"],
                condition=Q(policy__gt=""),
            ),
            # What happened to anything but an action, found by a search.
            models.Index(
                name="event_of_stream",
                fields=["stream", "at", "id"],
                condition=Q(action=None),
            ),
            models.Index(
                name="event_by_person",
                fields=["actor_id", "at", "id"],
                condition=Q(actor_kind="person"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data

    @property
    def subject(self) -> str:
        """What it is about, in the words of then: the action may say something else by
        now."""
        if self.action is None:
            return self.stream.replace(":", " ", 1)
        then = json.loads(self.body)["action"]
        if "summary" in then:
            return then["summary"] or self.action.name
        if then["revision"] == self.action.revision:
            return str(self.action)
        return f"{self.action.name}, revision {then['revision']}"


class Download(models.Model):
    """How far somebody's download of the audit log has come, for the page to show."""

    person = models.ForeignKey(User, models.PROTECT, related_name="+")
    # Where it is on record: all events before that one are in it.
    event = models.OneToOneField(Event, models.PROTECT, related_name="+")
    rows = models.PositiveBigIntegerField(default=0)
    # The id of the last event that was looked at.
    reached = models.PositiveBigIntegerField(default=0)
    moved_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    complete = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]
        default_permissions = []

    def __str__(self) -> str:
        return f"{self.person}: {self.rows}"

    @property
    def share(self) -> int:
        """How much of the log has been looked at, in percent."""
        return 100 if self.complete else 100 * self.reached // self.event_id


class PendingEvent(models.Model):
    """An event that one of its readers has not taken yet.

    Written in the event's own transaction and taken by deleting it. A reader that
    asked for ``id > last seen`` instead would lose events: they do not commit in the
    order of their ids.
    """

    event = models.ForeignKey(Event, models.PROTECT, related_name="+")
    reader = models.CharField(max_length=20)

    class Meta:
        default_permissions = []
        indexes = [
            models.Index(name="pending_event_of_reader", fields=["reader", "id"])
        ]

    def __str__(self) -> str:
        return f"{self.reader}: {self.event_id}"


class JobRun(models.Model):
    """When a periodic job is next due. Tickers take a turn by moving ``next_at`` on."""

    job = models.CharField(max_length=100, primary_key=True)
    next_at = models.DateTimeField()
    last_run_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = []

    def __str__(self) -> str:
        return self.job
