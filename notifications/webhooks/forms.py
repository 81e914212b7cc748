"""What does an administrator say about a webhook?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from governance.errors import Refused
from notifications.webhooks import keeping
from notifications.webhooks.models import Webhook

SINCE = [
    ("1", "in the last hour"),
    ("24", "in the last day"),
    ("96", "in the last 4 days"),
    ("720", "in the last 30 days"),
]


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Webhook
        fields = ["agent", "url"]
        widgets = {"url": UnfoldAdminTextInputWidget}
        help_texts = {
            "url": "Where the agent listens: https://… It is told there what becomes of its actions."
        }

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        agent = said.get("agent") or getattr(self.instance, "agent", None)
        if agent and "url" in self.changed_data and said.get("url"):
            try:
                keeping.check_address(agent, said["url"])
            except Refused as refusal:
                self.add_error("url", str(refusal))
        return said


class SinceForm(forms.Form):
    since = forms.TypedChoiceField(
        label="What failed of what was made",
        choices=SINCE,
        initial="24",
        coerce=lambda hours: timedelta(hours=int(hours)),
        widget=UnfoldAdminSelectWidget,
    )
