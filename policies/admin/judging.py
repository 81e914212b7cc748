"""What judges an action: policies, lookbacks, risk factors, and the default."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget

from governance.console import label, person
from policies import bodies, services
from policies.admin import conditions, explaining
from policies.admin.base import RuleAdmin
from policies.admin.forms import (
    ACTIONS_HELP,
    ConditionField,
    PatternsField,
    RuleForm,
)
from policies.admin.policy_form import OPENS_WIDE, PolicyForm
from policies.admin.tried import Tried
from policies.bodies import Subject
from policies.models import Decision, Lookback, Policy, RiskFactor, RuleSet
from policies.rules import Mode, Period

DECISIONS = {
    Decision.ALLOW: "success",
    Decision.REQUIRE_APPROVAL: "warning",
    Decision.BLOCK: "danger",
}
MODES = {
    Policy.Mode.ENFORCE: ("enforce", "success"),
    Policy.Mode.MONITOR: ("monitor", "info"),
    Policy.Mode.DRAFT: ("draft", ""),
    Policy.Mode.RETIRED: ("retired", ""),
}


class LookbackForm(RuleForm):
    subject = Subject.LOOKBACK

    actions = PatternsField(help_text=ACTIONS_HELP)

    class Meta:
        model = Lookback
        fields = [
            "name",
            "actions",
            "key",
            "window",
            "time_zone",
            "sum",
            "distinct",
            "decision",
        ]
        labels = {
            "key": "Shared by",
            "sum": "Sum of",
            "distinct": "Different values of",
            "decision": "Only",
        }
        help_texts = {
            "name": "Conditions ask for it by this name: history.NAME.count",
            "key": "Actions with the same value there are counted together: "
            "params.customer_id, agent.name. With commas, all of several: "
            "agent.name, params.customer_id. Empty: all actions together.",
            "window": "How far back: 10m, 24h, 30d, up to this very moment. "
            "Or since the beginning of the day, week (Monday), month or year: "
            "a budget that is fresh every morning.",
            "time_zone": "Where that day begins at midnight, e.g. Europe/Berlin.",
            "sum": "A number to add up, e.g. params.amount, as history.NAME.sum",
            "distinct": "How many different ones there were, e.g. params.iban, "
            "as history.NAME.distinct",
            "decision": "Count only actions that the policies judged so. Allow: what "
            "went through by itself, a budget that people's approvals do not use up. "
            "Empty: everything that went ahead or still may, also what waits.",
        }


class RiskFactorForm(RuleForm):
    subject = Subject.RISK_FACTOR

    actions = PatternsField(help_text=ACTIONS_HELP)
    when = ConditionField(Subject.RISK_FACTOR)

    class Meta:
        model = RiskFactor
        fields = ["name", "actions", "when", "points"]


class DefaultForm(RuleForm):
    subject = Subject.DEFAULT
    renamed = {"default_decision": "decision", "default_flow": "flow"}

    class Meta:
        model = RuleSet
        fields = ["default_decision", "default_flow"]

    default_decision = forms.ChoiceField(
        label="When no policy matches",
        required=False,
        widget=UnfoldAdminSelectWidget,
        choices=[
            ("", "Block, and say that no policy covers it"),
            ("BLOCK", "Block"),
            ("REQUIRE_APPROVAL", "Require approval"),
        ],
    )

    def check(self) -> None:
        if self.cleaned_data["default_decision"]:
            super().check()
        elif self.cleaned_data["default_flow"]:
            self.add_error("default_flow", "Leave the flow out: nobody is asked.")


def condition(rule: Policy | RiskFactor) -> SafeString:
    if not rule.when:
        return format_html("{}", "always")
    return format_html(
        '<code class="font-mono text-xs" style="overflow-wrap: anywhere">{}</code>',
        rule.when,
    )


class Patterned(Tried):
    class Media:
        css = {"all": ["policies/lists.css"]}

    @admin.display(description="actions")
    def patterns(self, rule: Any) -> str:
        return ", ".join(rule.actions)

    @admin.display(description="condition")
    def condition(self, rule: Any) -> SafeString:
        return condition(rule)


@admin.register(Policy)
class PolicyAdmin(Patterned):
    form = PolicyForm
    change_form_after_template = "admin/policies/policy_after.html"
    list_display = [
        "name",
        "verdict",
        "patterns",
        "condition",
        "flow",
        "state",
        "version",
    ]
    list_filter = ["mode", "decision", "flow"]
    list_select_related = ["flow"]
    search_fields = ["name", "reason"]
    actions_detail = ["retire"]
    conditional_fields = {"meant": OPENS_WIDE}

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        *fields, note = super().get_fields(request, obj)
        asked = ["meant"] if self.has_change_permission(request, obj) else []
        return [*fields, *asked, note]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new policy has no say before somebody gives it one."""
        given: dict[str, Any] = super().get_changeform_initial_data(request)
        return {"mode": str(Mode.DRAFT)} | given

    def get_urls(self) -> list[URLPattern]:
        asked = conditions.addresses(self, risk=True)
        return [explaining.address(self), *asked, *super().get_urls()]

    @admin.display(description="decision", ordering="decision")
    def verdict(self, policy: Policy) -> SafeString:
        decision = Decision(policy.decision)
        return label(decision.label, DECISIONS[decision])

    @admin.display(description="mode", ordering="mode")
    def state(self, policy: Policy) -> SafeString:
        return label(*MODES[Policy.Mode(policy.mode)])

    def has_retire_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        return person(request).has_perm("policies.change_policy")

    @action(
        description="Retire",
        icon="archive",
        permissions=["retire"],
        variant=ActionVariant.DANGER,
    )  # type: ignore[untyped-decorator]
    def retire(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.end(
            request,
            object_id,
            verb="Retire",
            intro="It no longer has a say from the next submission on. It stays on record, "
            "and what it decided stays explained.",
        )

    def end_rule(self, request: HttpRequest, rule: Policy, note: str) -> services.Done:
        return services.retire(rule.name, author=person(request), note=note)


@admin.register(Lookback)
class LookbackAdmin(Patterned):
    form = LookbackForm
    list_display = ["name", "patterns", "shared", "span", "answers", "only"]
    search_fields = ["name", "key"]

    @admin.display(description="shared by", ordering="key")
    def shared(self, lookback: Lookback) -> str:
        return lookback.key or "all actions"

    @admin.display(description="window", ordering="window")
    def span(self, lookback: Lookback) -> str:
        since = lookback.window in list(Period)
        return f"{lookback.window}, {lookback.time_zone}" if since else lookback.window

    @admin.display(description="tells")
    def answers(self, lookback: Lookback) -> str:
        told = {"sum of": lookback.sum, "different": lookback.distinct}
        return ", ".join(["count", *(f"{k} {v}" for k, v in told.items() if v)])

    @admin.display(description="only", ordering="decision")
    def only(self, lookback: Lookback) -> SafeString | str:
        if not lookback.decision:
            return ""
        decision = Decision(lookback.decision)
        return label(decision.label, DECISIONS[decision])


@admin.register(RiskFactor)
class RiskFactorAdmin(Patterned):
    form = RiskFactorForm
    list_display = ["name", "points", "patterns", "condition"]
    search_fields = ["name"]

    def get_urls(self) -> list[URLPattern]:
        return [*conditions.addresses(self, risk=False), *super().get_urls()]


@admin.register(RuleSet)
class RuleSetAdmin(RuleAdmin):
    """There is one default: its page is the form."""

    form = DefaultForm
    identity = ()
    actions_detail: list[str] = []

    def name_of(self, rule: Any) -> str:
        return bodies.DEFAULT

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> RuleSet | None:
        if object_id != "1":
            return None
        row: QuerySet[RuleSet] = self.get_queryset(request)
        return row.first() or RuleSet(pk=1)

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def changelist_view(self, *args: Any, **options: Any) -> HttpResponse:
        return redirect("admin:policies_ruleset_change", 1)

    def save_rule(
        self, request: HttpRequest, raw: dict[str, Any], note: str
    ) -> services.Done | None:
        if raw["decision"]:
            return super().save_rule(request, raw, note)
        if RuleSet.objects.exclude(default_decision="").exists():
            return services.remove(
                Subject.DEFAULT, bodies.DEFAULT, author=person(request), note=note
            )
        return None
