"""What does a person send who decides? The rules about it are the service's."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings

from approvals import conditions, proposed, remarks
from approvals.console import presets
from approvals.models import ApprovalRequest, PresetReason, Vote
from governance import canonical
from governance.errors import Problem, Refused
from governance.text_safety import excerpt, visible

LONGEST_PREFILLED = 20_000
MOST_ROWS = 16
FIELDS = (
    "confirmed",
    "preset",
    "comment",
    "conditions",
    "checks",
    "before",
    "proposal",
)


def textarea(
    rows: int, placeholder: str = "", *, code: bool = False, key: str = ""
) -> forms.Textarea:
    look = "cs-input cs-code" if code else "cs-input"
    attrs = {"class": look, "rows": rows, "placeholder": placeholder}
    attrs |= {"aria-keyshortcuts": key} if key else {}
    plain = {"spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}
    return forms.Textarea({**attrs, **(plain if code else {})})


class DecisionForm(forms.Form):
    """One verdict, with the request and the digest that the page showed.

    ``at`` is when it was sent: a time of the day means the next one after it.
    """

    verdict = forms.ChoiceField(choices=Vote.Verdict)
    request = forms.UUIDField(widget=forms.HiddenInput)
    digest = forms.CharField(widget=forms.HiddenInput)
    shown = forms.CharField(required=False, widget=forms.HiddenInput)
    preset = forms.CharField(required=False)
    comment = forms.CharField(
        required=False, widget=textarea(3, "Why? The agent reads it.", key="m")
    )
    conditions = forms.CharField(required=False, widget=textarea(2, "One per line"))
    checks = forms.CharField(required=False, widget=textarea(2, code=True))
    before = forms.CharField(
        required=False, widget=forms.TextInput({"class": "cs-input", "type": "time"})
    )
    proposal = forms.CharField(
        required=False, strip=False, widget=textarea(8, "{…}", code=True)
    )
    confirmed = forms.BooleanField(
        required=False,
        widget=forms.CheckboxInput({"class": "cs-checkbox", "required": True}),
    )

    def __init__(
        self, *args: Any, approval: ApprovalRequest, at: datetime, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.approval, self.action, self.at = approval, approval.action, at
        action, params = approval.action, approval.params
        self.irreversible = not action.reversible
        self.presets = presets.choices(action.name)
        self.time_zone = settings.TIME_ZONE
        self.fields["checks"].widget.attrs["placeholder"] = example(params)
        self.prefilled = prefilled(params)
        rows = min(MOST_ROWS, 1 + self.prefilled.count("\n"))
        self.fields["proposal"].widget.attrs["rows"] = max(4, rows)
        self.initial.setdefault("proposal", self.prefilled)

    def clean_comment(self) -> str:
        comment = "\n".join(self.cleaned_data["comment"].splitlines())
        refuse(remarks.problems(comment, []))
        return comment

    def clean_preset(self) -> PresetReason | None:
        """Return the reason that was chosen. One that is gone by now is none."""
        fitting = [preset for _, group in self.presets for preset in group]
        chosen = self.cleaned_data["preset"]
        preset = next((each for each in fitting if str(each.pk) == chosen), None)
        if preset and preset.verdict != self.data.get("verdict"):
            title = presets.VERDICTS[Vote.Verdict(preset.verdict)].lower()
            raise forms.ValidationError(
                f"{excerpt(preset.text)} is a reason {title}. Choose another one."
            )
        return preset

    def clean_conditions(self) -> list[str]:
        sentences = lines(self.cleaned_data["conditions"])
        refuse(remarks.problems("", sentences), len(sentences))
        for sentence in sentences:
            if conditions.reads_as_check(sentence):
                raise forms.ValidationError(
                    f"Nobody would check {excerpt(sentence)} here: it is a sentence to "
                    "the agent. Write it under “Checked when it runs”."
                )
        return sentences

    def clean_checks(self) -> list[dict[str, str]]:
        sources = lines(self.cleaned_data["checks"])
        checks = [conditions.stated({"expression": source}) for source in sources]
        refuse(conditions.problems(checks), len(checks))
        return checks

    def clean_before(self) -> list[dict[str, str]]:
        said = self.cleaned_data["before"]
        try:
            return [conditions.before(said, self.at)] if said else []
        except Refused as refusal:
            raise forms.ValidationError(str(refusal)) from refusal

    def clean_proposal(self) -> dict[str, Any] | None:
        """Return other parameters than those that were shown, None if there are none."""
        text = self.cleaned_data["proposal"]
        if not text.strip() or not self._differs(text):
            return None
        try:
            params = proposed.read(text)
        except Refused as refusal:
            raise forms.ValidationError(str(refusal)) from refusal
        if canonical.canonical_bytes(params) == canonical.canonical_bytes(
            self.approval.params
        ):
            return None
        refuse(proposed.problems(self.action, params))
        return params

    @property
    def problem(self) -> str:
        """Say in one sentence what is wrong with what was sent."""
        for name in FIELDS:
            if name in self.errors:
                return str(self.errors[name][0])
        return "The form did not arrive in one piece. Look at the page again."

    @property
    def is_conditional(self) -> bool:
        """Whether somebody has attached something on the page."""
        return any(self[name].value() for name in ("conditions", "checks", "before"))

    @property
    def is_proposing(self) -> bool:
        """Whether somebody has changed the parameters on the page."""
        return self._differs(self["proposal"].value() or "")

    def _differs(self, text: str) -> bool:
        return text.replace("\r\n", "\n") != self.prefilled

    def clean(self) -> None:
        verdict, said = self.cleaned_data.get("verdict"), self.cleaned_data
        approves = verdict == Vote.Verdict.APPROVE
        wants_changes = verdict == Vote.Verdict.REQUEST_CHANGES
        proposal = said.get("proposal")
        self._add_preset(said)
        commented = said.get("comment", "").strip()
        if wants_changes and not commented and "proposal" in said and not proposal:
            self.add_error("comment", "Say what should change.")
        if verdict and proposal and not wants_changes:
            words = "What you propose goes back with “Request changes” only."
            self.add_error("proposal", words)
        if approves and self.irreversible and not said.get("confirmed"):
            self.add_error(
                "confirmed", "Confirm that you checked it: this cannot be undone."
            )

    def _add_preset(self, said: dict[str, Any]) -> None:
        """Make the reason that was chosen the comment, unless it is in there."""
        preset, comment = said.get("preset"), said.get("comment")
        if preset and comment is not None and preset.text not in comment:
            said["comment"] = "\n".join(filter(None, [preset.text, comment]))


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def refuse(problems: list[Problem], count: int = 0) -> None:
    """Say what is wrong at the field. Of several lines, name the one."""
    if problems:
        said = [f"{_place(problem, count)}{problem.detail}" for problem in problems]
        raise forms.ValidationError([forms.ValidationError(each) for each in said])


def _place(problem: Problem, count: int) -> str:
    position = problem.path.rpartition("/")[2]
    return f"Line {int(position) + 1}: " if position.isdigit() and count > 1 else ""


def example(params: dict[str, Any]) -> str:
    """Return a condition about these parameters, to show how one is written."""
    for name, value in params.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and re.fullmatch(r"[a-z][a-z0-9_]*", name):
            return f"params.{name} <= {value}"
    return "risk < 50"


def prefilled(params: dict[str, Any]) -> str:
    """Return the parameters to start from, empty where there are too many to edit.

    Everything hidden is written as an escape: it is the same JSON, and can be seen.
    """
    text = json.dumps(params, indent=2, ensure_ascii=False)
    if len(text) > LONGEST_PREFILLED:
        return ""
    return re.sub(r"[^\x00-\x7e]", lambda found: _seen(found[0]), text)


def _seen(char: str) -> str:
    return char if visible(char) == char else json.dumps(char)[1:-1]
