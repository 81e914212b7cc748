"""What the catalogue knows: kinds of actions, and how sensitive resources are."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model

from governance.models import ActionType, Resource
from policies.admin.base import RuleAdmin
from policies.admin.forms import DurationField, RuleForm, code
from policies.bodies import Subject


class SchemaField(forms.JSONField):
    """JSON to read and to write: over several lines, in its own letters."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False, indent=2)
        return super().prepare_value(value)


class ActionTypeForm(RuleForm):
    subject = Subject.ACTION_TYPE

    grant = DurationField(
        initial="1h", help_text="How long a permission may be used: 30m, 1h"
    )
    params_schema = SchemaField(
        required=False,
        widget=code(rows=8),
        help_text="A JSON Schema that the parameters must satisfy. Empty: any.",
    )

    class Meta:
        model = ActionType
        fields = [
            "name",
            "title",
            "summary",
            "base_risk",
            "reversible",
            "grant",
            "params_schema",
        ]


class ResourceForm(RuleForm):
    subject = Subject.RESOURCE
    renamed = {"pattern": "id"}

    class Meta:
        model = Resource
        fields = ["type", "pattern", "sensitivity"]


@admin.register(ActionType)
class ActionTypeAdmin(RuleAdmin):
    form = ActionTypeForm
    list_display = ["name", "title", "base_risk", "reversible", "grant"]
    search_fields = ["name", "title"]


@admin.register(Resource)
class ResourceAdmin(RuleAdmin):
    form = ResourceForm
    list_display = ["type", "pattern", "sensitivity"]
    search_fields = ["type", "pattern"]
    identity = ("type", "pattern")

    def name_of(self, rule: Model) -> str:
        return str(rule)
