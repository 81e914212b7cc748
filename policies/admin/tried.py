"""What do the pages of rules that can be tried have in common? A button, and results."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from governance import clock
from policies import monitoring
from policies.admin.base import RuleAdmin
from policies.admin.visits import sees_actions
from policies.models import Policy


class Tried(RuleAdmin):
    """A rule whose form can be tried before it is saved."""

    change_form_after_template = "admin/policies/rule_after.html"

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Model | None = None,
        **options: Any,
    ) -> Any:
        context["try_subject"] = str(self.subject)
        if isinstance(obj, Policy):
            context["trial"] = monitoring.trial(obj, clock.now())
            context["may_see_actions"] = sees_actions(request)
        return super().render_change_form(request, context, *args, obj=obj, **options)
