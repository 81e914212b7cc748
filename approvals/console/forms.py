"""What does a person send who decides? The rules about it are the service's."""

from __future__ import annotations

from typing import Any

from django import forms

from approvals.models import Vote


class DecisionForm(forms.Form):
    """One verdict, with the request and the digest that the page showed."""

    verdict = forms.ChoiceField(choices=Vote.Verdict)
    request = forms.UUIDField(widget=forms.HiddenInput)
    digest = forms.CharField(widget=forms.HiddenInput)
    comment = forms.CharField(
        required=False,
        widget=forms.Textarea(
            {"class": "cs-input", "rows": 3, "placeholder": "Why? The agent reads it."}
        ),
    )
    conditions = forms.CharField(
        required=False,
        widget=forms.Textarea(
            {
                "class": "cs-input",
                "rows": 2,
                "placeholder": "One per line, only with an approval",
            }
        ),
    )
    confirmed = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput({"class": "cs-checkbox", "required": True}),
    )

    def __init__(self, *args: Any, irreversible: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.irreversible = irreversible

    def clean_comment(self) -> str:
        return "\n".join(self.cleaned_data["comment"].splitlines())

    def clean_conditions(self) -> list[str]:
        return [line for line in self.cleaned_data["conditions"].splitlines() if line]

    @property
    def problem(self) -> str:
        """Say in one sentence what is wrong with what was sent."""
        for name in ("confirmed", "comment", "conditions"):
            if name in self.errors:
                return str(self.errors[name][0])
        return "The form did not arrive in one piece. Look at the page again."

    def clean(self) -> None:
        wants_changes = self.cleaned_data.get("verdict") == Vote.Verdict.REQUEST_CHANGES
        if wants_changes and not self.cleaned_data.get("comment", "").strip():
            self.add_error("comment", "Say what should change.")
        approves = self.cleaned_data.get("verdict") == Vote.Verdict.APPROVE
        if approves and self.irreversible and not self.cleaned_data.get("confirmed"):
            self.add_error(
                "confirmed", "Confirm that you checked it: this cannot be undone."
            )
