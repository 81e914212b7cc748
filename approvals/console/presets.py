"""Which reasons can be chosen rather than typed? And the page where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from approvals import remarks, services
from approvals.models import PresetReason, Vote
from governance.console import person
from governance.text_safety import check_text, visible
from policies import patterns

VERDICTS = {
    Vote.Verdict.APPROVE: "To approve",
    Vote.Verdict.REQUEST_CHANGES: "To request changes",
    Vote.Verdict.REJECT: "To reject",
}


def choices(action: str) -> list[tuple[str, list[PresetReason]]]:
    """Return the reasons for such an action, by what they are given for."""
    rows = PresetReason.objects.order_by("text", "pk")
    fitting = [row for row in rows if patterns.matches(row.pattern, action)]
    groups = [
        (title, [row for row in fitting if row.verdict == verdict])
        for verdict, title in VERDICTS.items()
    ]
    return [(title, found) for title, found in groups if found]


class PresetForm(forms.ModelForm):  # type: ignore[type-arg]
    verdict = forms.ChoiceField(
        label="Given",
        choices=list(VERDICTS.items()),
        widget=UnfoldAdminSelectWidget,
    )
    pattern = forms.CharField(
        label="For",
        initial="*",
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text="Which actions: refund.create, refund.* or *.",
    )
    text = forms.CharField(
        label="Reason",
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text="It becomes the comment, which can be changed. The agent reads it.",
    )

    class Meta:
        model = PresetReason
        fields = ["verdict", "pattern", "text"]

    def clean_pattern(self) -> str:
        pattern: str = self.cleaned_data["pattern"]
        if not patterns.is_pattern(pattern):
            raise forms.ValidationError(
                "Name actions like refund.create, refund.* or *."
            )
        return pattern

    def clean_text(self) -> str:
        text = " ".join(self.cleaned_data["text"].split())
        problems = remarks.problems(text, [])
        if problems or check_text(text, "") or visible(text) != text:
            raise forms.ValidationError("Leave out what people cannot see.")
        return text


@admin.register(PresetReason)
class PresetReasonAdmin(ModelAdmin):  # type: ignore[misc]
    """Saved and removed by the service, which puts every change on record."""

    form = PresetForm
    list_display = ["text", "given", "pattern"]
    list_display_links = ["text"]
    list_filter = ["verdict"]
    search_fields = ["text", "pattern"]
    fields = ["verdict", "pattern", "text"]
    list_per_page = 50

    @admin.display(description="given", ordering="verdict")
    def given(self, preset: PresetReason) -> str:
        return VERDICTS[Vote.Verdict(preset.verdict)]

    def save_model(
        self, request: HttpRequest, obj: PresetReason, form: Any, change: bool
    ) -> None:
        services.save_preset(obj, person(request))

    def delete_model(self, request: HttpRequest, obj: PresetReason) -> None:
        services.remove_preset(obj, person(request))

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[PresetReason]
    ) -> None:
        for preset in queryset:
            services.remove_preset(preset, person(request))

    def construct_change_message(self, *args: Any) -> Sequence[Any]:
        """The record says what has changed, for every way to change it."""
        return []
