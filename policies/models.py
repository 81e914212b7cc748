"""What needs agreement, and on which terms.

``policies.services`` is the only writer: it checks, bumps the rule set's revision and
keeps a version of everything that ever applied.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from governance.models import Action, User, slug

lookback_name = RegexValidator(
    r"\A[a-z][a-z0-9_]*\Z", "Use lower-case letters, digits and underscores."
)


class Decision(models.TextChoices):
    ALLOW = "ALLOW", "Allow"
    BLOCK = "BLOCK", "Block"
    REQUIRE_APPROVAL = "REQUIRE_APPROVAL", "Require approval"


class Calendar(models.Model):
    """When people work. Conditions ask for it, and deadlines may count only that time."""

    name = models.CharField(max_length=60, unique=True, validators=[lookback_name])
    time_zone = models.CharField(max_length=64, default="UTC")
    days = models.JSONField(default=list, help_text="mon to sun")
    hours = models.JSONField(default=list, help_text='["09:00-17:00"]')
    holidays = models.JSONField(default=list, blank=True, help_text='["2026-12-25"]')

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


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
    # How many people must reject before the stage does.
    rejections = models.PositiveSmallIntegerField(default=1)
    # Step by step, as a policy file writes it, instead of timeout and on_timeout.
    silence = models.JSONField(default=list, blank=True)
    calendar = models.ForeignKey(
        Calendar, models.PROTECT, null=True, blank=True, related_name="+"
    )
    reassign_to = models.ManyToManyField(Group, blank=True, related_name="+")

    class Meta:
        ordering = ["flow", "step", "id"]
        verbose_name = "stage"
        default_permissions = []
        constraints = [
            models.CheckConstraint(
                name="flow_stage_asks_somebody", condition=Q(approvals__gte=1)
            ),
            models.CheckConstraint(
                name="flow_stage_can_be_rejected", condition=Q(rejections__gte=1)
            ),
            models.CheckConstraint(
                name="flow_stage_on_timeout_is_known",
                condition=Q(on_timeout__in=["reject", "escalate", "hold", "approve"]),
            ),
            models.CheckConstraint(
                name="flow_stage_times_out_unless_it_holds",
                condition=Q(on_timeout="hold")
                | Q(timeout__isnull=False)
                | ~Q(silence=[]),
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
    key = models.CharField(
        max_length=500,
        blank=True,
        help_text="e.g. params.customer_id; several with commas. Empty: all alike.",
    )
    window = models.CharField(
        max_length=12,
        default="30d",
        help_text="e.g. 24h, 30d; or day, week, month, year",
    )
    sum = models.CharField(max_length=200, blank=True, help_text="e.g. params.amount")
    distinct = models.CharField(
        max_length=200,
        blank=True,
        help_text="e.g. params.iban: how many different ones",
    )
    decision = models.CharField(
        "only",
        max_length=16,
        choices=Decision,
        blank=True,
        help_text="Look only at actions that the policies judged so. Empty: all.",
    )
    time_zone = models.CharField(max_length=64, default="UTC")

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
    # What is counted once, however often it occurs.
    value = models.CharField(max_length=64, null=True)  # noqa: DJ001
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
        verbose_name = "default"
        verbose_name_plural = "default"
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


class Revision(models.Model):
    """One change of the rules: who made it, when and why. It never changes.

    ``orders`` is the order of policies and flows from then on. The versions it made say
    what changed.
    """

    number = models.PositiveBigIntegerField(unique=True)
    author = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    # Who agreed, where two people have to.
    confirmed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    orders = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    append_only = True

    class Meta:
        ordering = ["-number"]
        verbose_name_plural = "history"
        default_permissions = ["view"]
        permissions = [("restore_revision", "Can go back to earlier rules")]

    def __str__(self) -> str:
        return f"Revision {self.number}"


class Version(models.Model):
    """What a rule said from one change to the next. Never changes, never goes away."""

    class Subject(models.TextChoices):
        POLICY = "policy"
        FLOW = "flow"
        CALENDAR = "calendar"
        LOOKBACK = "lookback"
        RISK_FACTOR = "risk_factor"
        ACTION_TYPE = "action_type"
        RESOURCE = "resource"
        DEFAULT = "default"
        TEST = "test"

    revision = models.ForeignKey(Revision, models.PROTECT, related_name="versions")
    subject = models.CharField(max_length=12, choices=Subject)
    name = models.CharField(max_length=310)
    number = models.PositiveIntegerField()
    # Null: from here on the rule is gone.
    body = models.JSONField(null=True)

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


class PolicyTest(models.Model):
    """A sample action, and what the rules must say to it. No change may break it."""

    name = models.CharField(max_length=100, unique=True, validators=[slug])
    # As a policy file writes it, without the name.
    body = models.JSONField(default=dict)

    class Meta:
        ordering = ["name"]
        verbose_name = "test"

    def __str__(self) -> str:
        return self.name


class ProposedChange(models.Model):
    """A change of the rules that waits for a second person.

    ``changes`` are ``[subject, name, before, after]``, ``orders`` the order of policies
    and flows afterwards. It takes effect only on the rules it was made for.
    """

    class Outcome(models.TextChoices):
        CONFIRMED = "confirmed"
        DECLINED = "declined"
        WITHDRAWN = "withdrawn"

    author = models.ForeignKey(User, models.PROTECT, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    changes = models.JSONField()
    orders = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    outcome = models.CharField(max_length=9, choices=Outcome, blank=True)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    comment = models.CharField(max_length=500, blank=True)

    frozen = ("author", "note", "changes", "orders", "created_at")

    class Meta:
        ordering = ["-id"]
        default_permissions = ["view"]
        permissions = [("confirm_proposedchange", "Can confirm a change of the rules")]
        constraints = [
            models.CheckConstraint(
                name="proposed_change_is_decided_by_somebody_else",
                condition=Q(outcome="", decided_by=None, decided_at=None)
                | Q(outcome="withdrawn", decided_at__isnull=False)
                | (
                    Q(outcome__in=["confirmed", "declined"])
                    & Q(decided_at__isnull=False, decided_by__isnull=False)
                    & ~Q(decided_by=models.F("author"))
                ),
            )
        ]

    def __str__(self) -> str:
        return self.note or f"Change {self.pk}"


class MonitorMatch(models.Model):
    """What a policy on trial would have said to one action."""

    policy = models.ForeignKey(Policy, models.PROTECT, related_name="matches")
    version = models.PositiveIntegerField()
    action = models.ForeignKey(Action, models.PROTECT, related_name="+")
    revision = models.PositiveSmallIntegerField()
    # Whether the verdict would have been another one, had it been enforced.
    differs = models.BooleanField()
    problem = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                name="monitor_match_once", fields=["policy", "action", "revision"]
            )
        ]
        indexes = [
            # What one version has seen, newest first.
            models.Index(
                name="monitor_match_of_policy", fields=["policy", "version", "-at"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.policy_id}: {self.action_id}"


class Backtest(models.Model):
    """Rules tried on what really happened, bit by bit, by a worker.

    ``draft`` is what differs from the rules in force: ``[subject, name, body]``, body
    null for what is left out. ``cursor`` is the last action looked at, ``report`` what
    was found up to there.
    """

    draft = models.JSONField(default=list)
    days = models.PositiveSmallIntegerField()
    asked_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    # The rules in force when it was asked for.
    revision = models.PositiveBigIntegerField()
    total = models.PositiveIntegerField(null=True)
    done = models.PositiveIntegerField(default=0)
    cursor = models.UUIDField(null=True)
    report = models.JSONField(default=dict)
    error = models.CharField(max_length=500, blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "try rules"
        default_permissions = ["view"]
        indexes = [
            # The sweep of what still has to run.
            models.Index(
                name="backtest_waiting",
                fields=["id"],
                condition=Q(finished_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"Backtest {self.pk}"
