"""What does the page ask for on which rules are tried? A sample, and how far back."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from governance import strict_json
from governance.errors import Invalid, Problem, Refused
from governance.models import Action
from policies import backtests, findings, simulation
from policies.admin.forms import code
from policies.bodies import Body

MOST_ROWS = 12


class JsonField(forms.CharField):
    """A JSON object, read as strictly as the API reads it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, widget=code(rows=2), **options)

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return json.dumps(value, ensure_ascii=False, indent=2) if value else ""

    def to_python(self, value: Any) -> Any:
        text = str(super().to_python(value))
        if not text:
            return {}
        try:
            return strict_json.loads(text.encode(), what="value")
        except Refused as refused:
            raise forms.ValidationError(str(refused)) from None


class SampleForm(forms.Form):
    """An action that nobody asked for."""

    prefix = "sample"

    action = forms.CharField(widget=UnfoldAdminTextInputWidget)
    params = JsonField(label="Parameters")
    resource = JsonField(help_text='e.g. {"type": "order", "id": "A-1001"}')
    context = JsonField()
    agent = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="The name of an agent. Empty: one in production without tags.",
    )
    now = forms.CharField(
        label="When",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="e.g. 2026-11-25T14:00:00Z. Empty: now.",
    )
    history = JsonField(
        help_text='What lookbacks found, e.g. {"customer_refunds": {"count": 1}}. '
        "Those that are left out are counted.",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, field in self.fields.items():
            if isinstance(field, JsonField):
                lines = str(self[name].value() or "").count("\n") + 1
                field.widget.attrs["rows"] = min(max(lines, 2), MOST_ROWS)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                cleaned["sample"] = simulation.read(self._raw(cleaned))
            except Invalid as invalid:
                for problem in invalid.errors:
                    self._point_out(problem)
        return cleaned

    @property
    def sample(self) -> Body:
        found: Body = self.cleaned_data["sample"]
        return found

    @staticmethod
    def _raw(cleaned: dict[str, Any]) -> dict[str, Any]:
        found = {name: value for name, value in cleaned.items() if value}
        return {"params": {}, **found}

    def _point_out(self, problem: Problem) -> None:
        first = problem.path.strip("/").split("/")[0]
        self.add_error(first if first in self.fields else None, problem.detail)


class BacktestForm(forms.Form):
    prefix = "backtest"

    days = forms.IntegerField(
        min_value=1,
        max_value=backtests.MAX_DAYS,
        initial=30,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Every action of these days is judged again.",
    )
    amount = forms.CharField(
        label="Where the money is",
        max_length=200,
        initial=findings.AMOUNT,
        widget=UnfoldAdminTextInputWidget,
        help_text="e.g. params.amount",
    )

    def clean_amount(self) -> str:
        amount = str(self.cleaned_data["amount"])
        if not findings.is_path(amount):
            raise forms.ValidationError("Write a path like params.amount.")
        return amount


class ModesForm(forms.Form):
    """Which policies are taken as enforced, though they are not."""

    prefix = "modes"

    drafts = forms.BooleanField(
        label="Enforce policies in draft", required=False, widget=UnfoldBooleanWidget
    )
    monitored = forms.BooleanField(
        label="Enforce policies on trial", required=False, widget=UnfoldBooleanWidget
    )


def sample_of(action: Action) -> dict[str, Any]:
    """Return a real action as the form shows it, at its moment.

    What happened since, itself included, is not part of its history then.
    """
    return {
        "action": action.name,
        "params": action.params,
        "resource": action.resource or {},
        "context": action.context,
        "agent": action.agent.name,
        "now": action.created_at.isoformat().replace("+00:00", "Z"),
        "history": {},
    }
