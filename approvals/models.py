"""People deciding: what they are asked, what they said, and what came of it."""

from __future__ import annotations

from typing import Self

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from governance.models import Action, User, uuid7

DECIDE = "decide_approvalrequest"
VIEW = "view_approvalrequest"
VIEW_ALL = "view_all_approvalrequest"


class ApprovalRequestQuerySet(models.QuerySet["ApprovalRequest"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)

    def to_decide(self, user: User) -> Self:
        """Requests this person holds the right to decide.

        Rights are granted when a stage opens and withdrawn when it closes, so this
        table is as small as what is open.
        """
        groups = RequestGroupPermission.objects.filter(
            group__in=user.groups.all()
        ).values("content_object")
        people = RequestUserPermission.objects.filter(user=user).values(
            "content_object"
        )
        return self.filter(Q(pk__in=groups) | Q(pk__in=people))

    def waiting_for(self, user: User) -> Self:
        """Open requests on which this person's word is still missing."""
        voted = Vote.objects.filter(person=user).values("request")
        mine = self.open().to_decide(user).exclude(pk__in=voted)
        return mine.exclude(action__agent__owner=user)

    def visible_to(self, user: User) -> Self:
        """Requests this person may look at, also when they are decided.

        Those that they or their groups were asked about, and those they voted on.
        """
        if user.has_perm(f"approvals.{VIEW_ALL}"):
            return self
        asked = ApprovalRequest.asked.through.objects.filter(
            group__in=user.groups.all()
        ).values("approvalrequest")
        people = RequestUserPermission.objects.filter(user=user).values(
            "content_object"
        )
        voted = Vote.objects.filter(person=user).values("request")
        return self.filter(Q(pk__in=asked) | Q(pk__in=people) | Q(pk__in=voted))


class ApprovalRequest(models.Model):
    """One revision of one action, put before people.

    It keeps exactly what they were asked about: a later revision opens a request of
    its own. The status lives on the action; here is only whether this request is
    closed, and with what outcome.
    """

    class Outcome(models.TextChoices):
        APPROVED = "approved"
        REJECTED = "rejected"
        CHANGES_REQUESTED = "changes_requested"
        EXPIRED = "expired"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    action = models.ForeignKey(Action, models.PROTECT, related_name="requests")
    revision = models.PositiveSmallIntegerField(default=1)
    digest = models.CharField(max_length=71)
    params = models.JSONField(default=dict)
    resource = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    context = models.JSONField(default=dict)
    summary = models.CharField(max_length=300, blank=True)
    risk = models.PositiveSmallIntegerField(default=0)
    # Whether every rule could be evaluated: silence may only approve if so.
    evaluated = models.BooleanField(default=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=17, choices=Outcome, blank=True)
    conditions = models.JSONField(default=list)
    # Every group that any stage names: they may look, before and after their turn.
    asked = models.ManyToManyField(Group, related_name="+")

    objects = ApprovalRequestQuerySet.as_manager()
    frozen = (
        "action",
        "revision",
        "digest",
        "params",
        "resource",
        "reason",
        "context",
        "risk",
        "evaluated",
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = "request"
        default_permissions = ["view"]
        permissions = [
            (DECIDE, "Can decide this request"),
            (VIEW_ALL, "Can view every request"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="request_once_per_revision", fields=["action", "revision"]
            ),
            models.CheckConstraint(
                name="request_outcome_once_closed",
                condition=Q(closed_at=None, outcome="")
                | (Q(closed_at__isnull=False) & ~Q(outcome="")),
            ),
        ]
        indexes = [
            # The queue.
            models.Index(
                name="request_open", fields=["opened_at"], condition=Q(closed_at=None)
            )
        ]

    def __str__(self) -> str:
        return self.summary or str(self.pk)


class Stage(models.Model):
    """One requirement under way, on the terms it had when the request was opened."""

    class State(models.TextChoices):
        WAITING = "waiting"
        OPEN = "open"
        APPROVED = "approved"
        CLOSED = "closed"

    request = models.ForeignKey(ApprovalRequest, models.PROTECT, related_name="stages")
    position = models.PositiveSmallIntegerField()
    step = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=100)
    # [{"id": 3, "name": "finance"}]: the id routes, the name is what it was called.
    groups = models.JSONField(default=list)
    needed = models.PositiveSmallIntegerField()
    sla = models.DurationField(null=True)
    timeout = models.DurationField(null=True)
    on_timeout = models.CharField(max_length=8)
    escalate_to = models.JSONField(default=list)
    auto_approve_max_risk = models.PositiveSmallIntegerField(null=True)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    opened_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    sla_at = models.DateTimeField(null=True)
    escalated = models.BooleanField(default=False)
    # Who approved, and has lost the right to since: keys of people.
    lapsed = models.JSONField(default=list)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["request", "position"]
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                name="stage_once_per_position", fields=["request", "position"]
            ),
            models.CheckConstraint(
                name="stage_state_is_known",
                condition=Q(state__in=["waiting", "open", "approved", "closed"]),
            ),
            models.CheckConstraint(
                name="stage_opened_at_unless_waiting_or_closed",
                condition=Q(state__in=["waiting", "closed"])
                | Q(opened_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def is_open(self) -> bool:
        return self.state == self.State.OPEN


class Vote(models.Model):
    """What one person, or the system on silence, said to one request."""

    class Verdict(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"
        REQUEST_CHANGES = "request_changes"

    request = models.ForeignKey(ApprovalRequest, models.PROTECT, related_name="votes")
    stage = models.ForeignKey(Stage, models.PROTECT, related_name="votes")
    # Null when silence decided.
    person = models.ForeignKey(User, models.PROTECT, null=True, related_name="votes")
    by = models.CharField(max_length=150)
    verdict = models.CharField(max_length=15, choices=Verdict)
    comment = models.TextField(blank=True)
    conditions = models.JSONField(default=list)
    via = models.CharField(max_length=10)
    at = models.DateTimeField()

    append_only = True

    class Meta:
        ordering = ["id"]
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                name="vote_once_per_person",
                fields=["request", "person"],
                condition=Q(person__isnull=False),
            ),
            models.CheckConstraint(
                name="vote_verdict_is_known",
                condition=Q(verdict__in=["approve", "reject", "request_changes"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.by}: {self.verdict}"


class RequestGroupPermission(GroupObjectPermissionBase):
    """A group may decide one request. Guardian finds this table by itself."""

    content_object = models.ForeignKey(ApprovalRequest, models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        default_permissions = []


class RequestUserPermission(UserObjectPermissionBase):
    """A person may decide one request."""

    content_object = models.ForeignKey(ApprovalRequest, models.CASCADE)

    class Meta(UserObjectPermissionBase.Meta):
        default_permissions = []
