"""Who must agree, in which order? A flow and its stages are saved as one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.admin import StackedInline
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2MultipleWidget,
)

from governance.console import person
from governance.errors import Problem
from policies.admin import chains, picture
from policies.admin.base import RuleAdmin
from policies.admin.chains import ChainField
from policies.admin.forms import DurationField, RuleForm, problems
from policies.bodies import STAGE, Subject
from policies.models import Flow, FlowStage


class FlowForm(RuleForm):
    subject = Subject.FLOW

    class Meta:
        model = Flow
        fields = ["name"]

    def check(self) -> None:
        """A flow is nothing without its stages: they are checked together, there."""


def choice_of_groups(
    label: str, *, required: bool = False
) -> forms.ModelMultipleChoiceField[Group]:
    return forms.ModelMultipleChoiceField(
        Group.objects.order_by("name"),
        label=label,
        required=required,
        widget=UnfoldAdminSelect2MultipleWidget,
    )


class StageForm(forms.ModelForm[FlowStage]):
    step = forms.IntegerField(
        required=False,
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Stages with the same step are open side by side. "
        "Empty: one after the other.",
    )
    groups = choice_of_groups("Asked", required=True)
    sla = DurationField(
        label="Alert after", required=False, help_text="E.g. 15m. It decides nothing."
    )
    timeout = DurationField(label="Time to decide", required=False, help_text="E.g. 4h")
    escalate_to = choice_of_groups("Then ask as well")
    rejections = forms.IntegerField(
        label="Rejections that stop it",
        required=False,
        initial=1,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    silence = ChainField(label="On silence, step by step")
    reassign_to = choice_of_groups("May be passed on to")

    class Meta:
        model = FlowStage
        # All of it: what the form left out would be gone when it is saved.
        fields = list(STAGE)
        labels = {
            "approvals": "People who must approve",
            "on_timeout": "On silence",
            "auto_approve_max_risk": "Approve up to risk",
            "calendar": "Count working time of",
        }
        help_texts = {"calendar": "Empty: every hour counts."}

    def _get_validation_exclusions(self) -> set[str]:
        """Leave all of the model's checks to the services, which say it in sentences."""
        return {field.name for field in self.instance._meta.fields}

    def raw(self) -> dict[str, Any]:
        """Return the stage as a policy file would write it."""
        found = {name: self.cleaned_data.get(name) for name in STAGE}
        for name in ("groups", "escalate_to", "reassign_to"):
            found[name] = [group.name for group in found[name] or []]
        if calendar := found["calendar"]:
            found["calendar"] = calendar.name
        return found


class Stages(BaseInlineFormSet[FlowStage, Flow, StageForm]):
    def clean(self) -> None:
        super().clean()
        name = self.instance.name
        if name and not any(form.errors for form in self.wanted()):
            raw = {"name": name, "stages": self.raw()}
            for problem in problems(Subject.FLOW, raw, new=self.instance.pk is None):
                self.point_out(problem)

    def wanted(self) -> list[StageForm]:
        return [
            form
            for form in self.forms
            if (form.instance.pk or form.has_changed())
            and not self._should_delete_form(form)  # type: ignore[attr-defined]
        ]

    def raw(self) -> list[dict[str, Any]]:
        return [form.raw() for form in self.wanted()]

    def point_out(self, problem: Problem) -> None:
        """Show ``/stages/0/timeout`` at the time-out of the first stage."""
        match problem.path.strip("/").split("/"):
            case ["stages", index, "silence", step, *_]:
                detail = chains.at_step(int(step) + 1, problem.detail)
                self.wanted()[int(index)].add_error("silence", detail)
            case ["stages", index, "on_timeout"] if problem.code == "unexpected":
                detail = "Set it back to Reject: the steps say what happens when."
                self.wanted()[int(index)].add_error("on_timeout", detail)
            case ["stages", index, field, *_] if field in StageForm.base_fields:
                self.wanted()[int(index)].add_error(field, problem.detail)
            case _:
                raise forms.ValidationError(problem.detail)


class StageInline(StackedInline):  # type: ignore[misc]
    model = FlowStage
    form = StageForm
    formset = Stages
    verbose_name_plural = "stages"
    min_num = 1
    extra = 0
    fields = [
        "name",
        ("groups", "approvals"),
        ("timeout", "on_timeout"),
        ("escalate_to", "auto_approve_max_risk"),
        "silence",
        ("sla", "calendar"),
        ("step", "rejections"),
        "reassign_to",
    ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return person(request).has_perm("policies.view_flow") or self._may(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def _may(self, request: HttpRequest) -> bool:
        user = person(request)
        return user.has_perm("policies.change_flow") or user.has_perm(
            "policies.add_flow"
        )


@admin.register(Flow)
class FlowAdmin(RuleAdmin):
    form = FlowForm
    list_display = ["name", "course", "position", "version"]
    search_fields = ["name"]
    inlines = [StageInline]
    change_form_before_template = "admin/policies/flow_now.html"

    class Media:
        css = {"all": ["policies/flows.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Flow]:
        flows: QuerySet[Flow] = super().get_queryset(request)
        return flows.prefetch_related(
            "stages__groups", "stages__escalate_to", "stages__calendar"
        )

    @admin.display(description="stages")
    def course(self, flow: Flow) -> SafeString:
        shown = {"columns": picture.columns(flow), "compact": True}
        return render_to_string("admin/policies/flow.html", shown)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Model | None = None,
        **options: Any,
    ) -> Any:
        if isinstance(obj, Flow):
            context["columns"] = picture.columns(obj, counted=True)
        return super().render_change_form(request, context, *args, obj=obj, **options)

    def raw(self, form: Any, formsets: Any) -> dict[str, Any]:
        return {"name": form.instance.name, "stages": formsets[0].raw()}
