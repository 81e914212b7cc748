"""Tests of the rules in the console: samples, what must be said of them, and whether it is."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from governance import clock
from governance.console import label
from policies import dump, store, trials
from policies.admin.base import RuleAdmin
from policies.admin.catalogue import SchemaField
from policies.admin.forms import RuleForm, code
from policies.bodies import FORMS, Subject
from policies.field_words import WORDS
from policies.models import PolicyTest

_FIELDS = [name for name in FORMS[Subject.TEST] if name != "name"]


def _text(field: str, *, required: bool = False) -> forms.CharField:
    return forms.CharField(
        required=required,
        widget=UnfoldAdminTextInputWidget,
        help_text=WORDS[f"tests.{field}"],
    )


class PartField(SchemaField):
    """What the sample leaves out is shown as nothing."""

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


def _json(field: str, rows: int, example: str = "", **options: Any) -> PartField:
    """A part of the sample in JSON. Empty: it is left out."""
    help_text = f"{WORDS[f'tests.{field}']} {example}".strip()
    widget = code(rows=rows)
    return PartField(required=False, widget=widget, help_text=help_text, **options)


class ExpectField(PartField):
    """The decision alone as a word, or an object."""

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else super().prepare_value(value)

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        return text if text.isidentifier() else super().to_python(value)


class PolicyTestForm(RuleForm):
    subject = Subject.TEST

    action = _text("action", required=True)
    params = _json("params", 5, 'E.g. {"amount": 75}.')
    resource = _json("resource", 2, 'E.g. {"type": "order", "id": "A-1"}.')
    context = _json("context", 2)
    agent = _json("agent", 2, 'E.g. {"environment": "staging"}.')
    history = _json("history", 3, 'E.g. {"customer_refunds": {"count": 1}}.')
    now = _text("now")
    expect = ExpectField(
        widget=code(rows=6),
        help_text="ALLOW, REQUIRE_APPROVAL or BLOCK, or more than that: "
        '{"decision": "REQUIRE_APPROVAL", "flows": ["managers"], "risk": 40}.',
    )

    class Meta:
        model = PolicyTest
        fields = ["name"]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk:
            body = {"name": self.instance.name, **self.instance.body}
            self.initial.update(dump.short(Subject.TEST, body))

    def raw(self) -> dict[str, Any]:
        found = {name: self.cleaned_data.get(name) or None for name in _FIELDS}
        name = self.cleaned_data.get("name") or self.instance.name
        return {**found, "name": name or None}


@admin.register(PolicyTest)
class PolicyTestAdmin(RuleAdmin):
    form = PolicyTestForm
    list_display = ["name", "outcome", "tried", "expected", "difference"]
    search_fields = ["name"]

    class Media:
        css = {"all": ["policies/lists.css"]}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["name", *_FIELDS, "note"]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Run the tests of this page, all of them on the same rules."""
        page = super().get_changelist_instance(request)
        rules, at = store.current(), clock.now()
        for row in page.result_list:
            row.trial = trials.run(rules, {"name": row.name, **row.body}, at)
        return page

    @admin.display(description="result")
    def outcome(self, test: Any) -> SafeString:
        if test.trial.passed:
            return label("passes", "success")
        return label("fails", "danger")

    @admin.display(description="action")
    def tried(self, test: PolicyTest) -> str:
        return str(test.body["action"])

    @admin.display(description="expects")
    def expected(self, test: PolicyTest) -> str:
        return "; ".join(trials.expected(test.body))

    @admin.display(description="difference", empty_value="-")
    def difference(self, test: Any) -> SafeString | None:
        if test.trial.passed:
            return None
        words = '<span style="overflow-wrap: anywhere">{}</span>'
        return format_html(words, str(test.trial))
