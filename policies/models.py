"""What needs agreement, and on which terms.

``policies.services`` is the only writer: it checks, bumps the rule set's revision and
keeps a version of everything that ever applied.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from governance.models import Action, User, slug

lookback_name = RegexValidator(
    r"\A[a-z][a-z0-9_]*\Z", "Use lower-case letters, digits and underscores."
)


class Decision(models.TextChoices):
    ALLOW = "ALLOW", "Allow"
    BLOCK = "BLOCK", "Block"
    REQUIRE_APPROVAL = "REQUIRE_APPROVAL", "Require approval"


class Flow(models.Model):
    """Who must agree, in which order, and what silence means."""

    name = models.CharField(max_length=100, unique=True, validators=[slug])
    # Flows that must all be satisfied are asked in this order.
    position = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name


class FlowStage(models.Model):
    """One requirement of a flow: so many people out of these groups, in this time."""

    class OnTimeout(models.TextChoices):
        REJECT = "reject", "Reject"
        ESCALATE = "escalate", "Escalate"
        HOLD = "hold", "Keep waiting"
        APPROVE = "approve", "Approve (low risk only)"

    flow = models.ForeignKey(Flow, models.CASCADE, related_name="stages")
    name = models.CharField(max_length=100)
    # Stages with the same step are open side by side.
    step = models.PositiveSmallIntegerField(default=1)
    groups = models.ManyToManyField(Group, related_name="+")
    approvals = models.PositiveSmallIntegerField(default=1)
    sla = models.DurationField(null=True, blank=True)
    timeout = models.DurationField(null=True, blank=True)
    on_timeout = models.CharField(
        max_length=8, choices=OnTimeout, default=OnTimeout.REJECT
    )
    escalate_to = models.ManyToManyField(Group, blank=True, related_name="+")
    auto_approve_max_risk = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["flow", "step", "id"]
        default_permissions = []
        constraints = [
            models.CheckConstraint(
                name="flow_stage_asks_somebody", condition=Q(approvals__gte=1)
            ),
            models.CheckConstraint(
                name="flow_stage_on_timeout_is_known",
                condition=Q(on_timeout__in=["reject", "escalate", "hold", "approve"]),
            ),
            models.CheckConstraint(
                name="flow_stage_times_out_unless_it_holds",
                condition=Q(on_timeout="hold") | Q(timeout__isnull=False),
            ),
            models.CheckConstraint(
                name="flow_stage_approves_only_up_to_a_risk",
                condition=Q(
                    on_timeout="approve",
                    auto_approve_max_risk__isnull=False,
                    auto_approve_max_risk__lte=100,
                )
                | (~Q(on_timeout="approve") & Q(auto_approve_max_risk=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flow}: {self.name}"


class Policy(models.Model):
    """One rule: which actions, under which condition, with which answer."""

    class Mode(models.TextChoices):
        DRAFT = "draft", "Draft: not evaluated"
        MONITOR = "monitor", "Monitor: recorded, not enforced"
        ENFORCE = "enforce", "Enforce"
        RETIRED = "retired", "Retired"

    name = models.CharField(max_length=100, unique=True, validators=[slug])
    actions = models.JSONField(
        default=list, help_text='Patterns, e.g. ["refund.create"] or ["refund.*"].'
    )
    when = models.TextField(
        "condition", blank=True, help_text="A CEL expression. Empty: always."
    )
    decision = models.CharField(max_length=16, choices=Decision)
    flow = models.ForeignKey(
        Flow, models.PROTECT, null=True, blank=True, related_name="policies"
    )
    reason = models.CharField(
        max_length=500, blank=True, help_text="What people and agents read."
    )
    mode = models.CharField(max_length=7, choices=Mode, default=Mode.ENFORCE)
    position = models.PositiveIntegerField(default=0)
    version = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        ordering = ["position", "name"]
        verbose_name_plural = "policies"
        constraints = [
            models.CheckConstraint(
                name="policy_decision_is_known",
                condition=Q(decision__in=Decision.values),
            ),
            models.CheckConstraint(
                name="policy_has_a_flow_exactly_for_approval",
                condition=Q(decision="REQUIRE_APPROVAL", flow__isnull=False)
                | (~Q(decision="REQUIRE_APPROVAL") & Q(flow=None)),
            ),
            models.CheckConstraint(
                name="policy_mode_is_known",
                condition=Q(mode__in=["draft", "monitor", "enforce", "retired"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Lookback(models.Model):
    """Counts and sums what happened to the same customer, order or account before."""

    name = models.CharField(max_length=60, unique=True, validators=[lookback_name])
    actions = models.JSONField(default=list)
    key = models.CharField(max_length=200, help_text="e.g. params.customer_id")
    window = models.DurationField(default=timedelta(days=30))
    sum = models.CharField(max_length=200, blank=True, help_text="e.g. params.amount")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class LookbackEntry(models.Model):
    """One action as one lookback sees it. Whether it counts is the action's status."""

    lookback = models.ForeignKey(Lookback, models.CASCADE, related_name="entries")
    key = models.CharField(max_length=64)
    action = models.ForeignKey(Action, models.PROTECT, related_name="+")
    amount = models.FloatField(null=True)
    at = models.DateTimeField()

    class Meta:
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                name="lookback_entry_once", fields=["lookback", "action"]
            )
        ]
        indexes = [
            # The count and the sum of one key's window.
            models.Index(name="lookback_window", fields=["lookback", "key", "at"])
        ]

    def __str__(self) -> str:
        return f"{self.lookback_id}: {self.action_id}"


class RiskFactor(models.Model):
    """Points of risk that an action earns when a condition holds."""

    name = models.CharField(max_length=100, unique=True, validators=[slug])
    actions = models.JSONField(default=list)
    when = models.TextField("condition", blank=True)
    points = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="risk_factor_points_at_most_100", condition=Q(points__lte=100)
            )
        ]

    def __str__(self) -> str:
        return self.name


class RuleSet(models.Model):
    """The one row that says what applies when nothing matches, and which rules are in
    force: every change of any rule moves ``revision`` on in its own transaction."""

    revision = models.PositiveBigIntegerField(default=0, editable=False)
    # New with every revision and never the same twice, also when a change is rolled
    # back or a backup restored: processes know by it what they have in memory.
    stamp = models.UUIDField(default=uuid.uuid4, editable=False)
    default_decision = models.CharField(max_length=16, choices=Decision, blank=True)
    default_flow = models.ForeignKey(
        Flow, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        default_permissions = ["change", "view"]
        constraints = [
            models.CheckConstraint(name="rule_set_is_single", condition=Q(pk=1)),
            models.CheckConstraint(
                name="rule_set_default_never_allows",
                condition=Q(default_decision__in=["", "BLOCK"], default_flow=None)
                | Q(
                    default_decision="REQUIRE_APPROVAL",
                    default_flow__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"Rules, revision {self.revision}"


class Version(models.Model):
    """What a rule said from one change to the next. Never changes, never goes away."""

    class Subject(models.TextChoices):
        POLICY = "policy"
        FLOW = "flow"
        LOOKBACK = "lookback"
        RISK_FACTOR = "risk_factor"
        ACTION_TYPE = "action_type"
        RESOURCE = "resource"
        DEFAULT = "default"

    subject = models.CharField(max_length=12, choices=Subject)
    name = models.CharField(max_length=310)
    number = models.PositiveIntegerField()
    body = models.JSONField(null=True)
    author = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    append_only = True

    class Meta:
        ordering = ["-id"]
        default_permissions = ["view"]
        constraints = [
            models.UniqueConstraint(
                name="version_once", fields=["subject", "name", "number"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.name} v{self.number}"

    def fields(self) -> dict[str, Any]:
        return dict(self.body or {})
