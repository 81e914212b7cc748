"""How does a form become a rule? It says the same as a policy file would.

A form is checked by ``policies.services``, among all other rules, before anything is
saved; each problem is shown at the field it is about.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from governance.errors import Invalid, Problem
from policies import bodies, durations, services
from policies.bodies import State, Subject
from policies.fields import Unfit
from policies.plan import Plan

ACTIONS_HELP = "Names or patterns, with commas between: refund.create, order.*, *"
# What a form asks of those who save, and is no part of the rule.
ASIDE = {"note", "meant"}


class PatternsField(forms.CharField):
    """Patterns of action names, with commas between them."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [name.strip() for name in str(value or "").split(",") if name.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(self.prepare_value(initial)) != self.to_python(data))


class DurationField(forms.CharField):
    """A duration as policy files write it: 15m, 4h, 30d."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return durations.text(value) if isinstance(value, timedelta) else value

    def to_python(self, value: Any) -> Any:
        if not value:
            return None
        try:
            return durations.parse(str(value).strip())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((self.prepare_value(initial) or "") != (data or ""))


class ConditionWidget(UnfoldAdminTextareaWidget):  # type: ignore[misc]
    """A text area that is checked while somebody types, with the names that fit.

    It asks the pages of the rule whose form it is in (``policies.admin.conditions``).
    """

    template_name = "admin/policies/condition.html"

    class Media:
        css = {"all": ["policies/condition.css"]}
        js = ["policies/condition.js"]

    def __init__(self, subject: Subject) -> None:
        super().__init__(CODE | {"rows": 4})
        self.address = f"admin:policies_{subject.replace('_', '')}_condition"

    def get_context(self, *args: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(*args)
        context["widget"]["check"] = reverse(self.address)
        context["widget"]["names"] = reverse(f"{self.address}_names")
        return context


class ConditionField(forms.CharField):
    """A CEL expression. Line breaks are the author's; a browser's are not kept."""

    def __init__(self, subject: Subject, **options: Any) -> None:
        options.setdefault("help_text", CONDITION_HELP)
        options.setdefault("widget", ConditionWidget(subject))
        super().__init__(label="Condition", required=False, **options)

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")


CODE: dict[str, Any] = {
    "style": "font-family: ui-monospace, monospace",
    "spellcheck": "false",
    "autocapitalize": "off",
    "autocorrect": "off",
}
CONDITION_HELP = (
    "A CEL expression, e.g. params.amount > 200 && history.customer_refunds.count == 0. "
    "It may use action, params, resource, agent, context, history, calendar and now. "
    "Empty: always."
)


def code(rows: int) -> UnfoldAdminTextareaWidget:
    """Return a text area for what a machine reads."""
    return UnfoldAdminTextareaWidget(CODE | {"rows": rows})


class NoteForm(forms.Form):
    note = forms.CharField(
        label="Reason for the change",
        max_length=services.MAX_NOTE,
        widget=UnfoldAdminTextInputWidget,
        help_text="It is kept with the new version, and on record.",
    )


class RuleForm(forms.ModelForm[Any]):
    """A form for one rule. What it is called never changes after it was created."""

    subject: ClassVar[Subject]
    # Where the form calls a field otherwise than a policy file.
    renamed: ClassVar[dict[str, str]] = {}
    # Whether it is only tried out, and need not be meant.
    on_trial = False

    note = forms.CharField(
        label="Reason for the change",
        max_length=services.MAX_NOTE,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="It is kept with the new version, and on record.",
    )

    def raw(self) -> dict[str, Any]:
        """Return the rule as a policy file would write it."""
        names = [name for name in self._meta.fields or [] if name not in ASIDE]
        found = {name: getattr(self.instance, name) for name in names}
        found |= {k: v for k, v in self.cleaned_data.items() if k in names}
        return {
            self.renamed.get(name, name): _plain(value) for name, value in found.items()
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            self.check()
        return cleaned

    def check(self) -> None:
        for problem in problems(self.subject, self.raw(), new=self.instance.pk is None):
            self.point_out(problem)

    def point_out(self, problem: Problem) -> None:
        """Show a problem at the field that its JSON pointer begins with."""
        first = problem.path.strip("/").split("/")[0]
        names = {theirs: ours for ours, theirs in self.renamed.items()}
        field = names.get(first, first)
        self.add_error(field if field in self.fields else None, problem.detail)

    def _get_validation_exclusions(self) -> set[str]:
        """Leave all of the model's checks to the services, which say it in sentences."""
        return {field.name for field in self.instance._meta.fields}


def problems(subject: Subject, raw: dict[str, Any], *, new: bool) -> Iterable[Problem]:
    """Return what the services would refuse about this rule, without changing a thing."""
    try:
        body = bodies.read(subject, raw)
        plan = services.preview(lambda state: with_rule(state, subject, body))
    except Unfit as unfit:
        return unfit.problems
    except Invalid as invalid:
        return invalid.errors
    return _taken(plan, subject, body) if new else []


def with_rule(state: State, subject: Subject, body: dict[str, Any]) -> State:
    wanted = bodies.copy(state)
    wanted[subject][bodies.name_of(subject, body)] = body
    return wanted


def _taken(plan: Plan, subject: Subject, body: dict[str, Any]) -> Iterable[Problem]:
    if (name := bodies.name_of(subject, body)) in plan.before[subject]:
        yield Problem(
            "", "taken", f"There is a {subject.label.lower()} {name} already."
        )


def _plain(value: Any) -> Any:
    return getattr(value, "name", value)
