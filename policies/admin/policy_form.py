"""What does somebody write to make a policy? Letting everything through is asked twice."""

from __future__ import annotations

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanWidget,
)

from policies.admin.forms import ACTIONS_HELP, ConditionField, PatternsField, RuleForm
from policies.bodies import Subject
from policies.models import Decision, Policy
from policies.rules import Mode

ANYTHING = "*"
# What of a policy decides; the rest are words.
RULING = {"actions", "when", "decision", "mode"}
# The same question in the browser, so that it is there before somebody saves.
OPENS_WIDE = (
    "mode == 'enforce' && decision == 'ALLOW' && (!(when || '').trim() "
    "|| (actions || '').split(',').some(name => name.trim() == '*'))"
)


class PolicyForm(RuleForm):
    subject = Subject.POLICY

    actions = PatternsField(help_text=ACTIONS_HELP)
    when = ConditionField(Subject.POLICY)
    # Nothing is chosen beforehand: whoever forgets to choose is told so.
    decision = forms.ChoiceField(
        widget=UnfoldAdminSelectWidget,
        choices=[("", "Choose one"), *Decision.choices],
    )
    reason = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text="What people and agents read: why this policy decides so.",
    )
    meant = forms.BooleanField(
        label="Let it all through",
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="It is enforced, and nothing narrows it down: what it covers goes "
        "ahead, and nobody is asked.",
    )

    class Meta:
        model = Policy
        fields = ["name", "actions", "when", "decision", "flow", "reason", "mode"]

    def check(self) -> None:
        super().check()
        if not (self.on_trial or self.errors) and self._opens_wide():
            self.add_error("meant", self._consequence())

    def _opens_wide(self) -> bool:
        """Whether it comes to allow everything, or everything of a name, unasked."""
        given = self.cleaned_data
        wide = not given["when"].strip() or ANYTHING in given["actions"]
        enforced = (given["decision"], given["mode"]) == (Decision.ALLOW, Mode.ENFORCE)
        changed = RULING & set(self.changed_data)
        return wide and enforced and bool(changed) and not given["meant"]

    def _consequence(self) -> str:
        given = self.cleaned_data
        names = given["actions"]
        what = "every action" if ANYTHING in names else f"every {' and '.join(names)}"
        when = "whenever its condition holds" if given["when"].strip() else "always"
        return f"It lets {what} go ahead, {when}, and asks nobody. Tick this if you mean it."
