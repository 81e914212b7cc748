"""What can be asked for on a form about messages, and what is refused?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, validate_email
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleTimeWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from governance import clock
from governance.risk import BANDS
from governance.text_safety import visible_line
from notifications.routing.addresses import is_set_up
from notifications.routing.models import (
    CHANNELS,
    EMAIL,
    PERSONAL,
    SHARED,
    SLACK,
    SMS,
    Place,
    Preference,
    Rota,
    Rule,
    phone_number,
)
from notifications.topics import Topic
from policies import patterns

OPERATORS = "Operators: hears of what is about no group"
_slack_channel = RegexValidator(
    r"\A[CGD][A-Z0-9]{6,20}\Z",
    "Write the channel's id, as in C0123456789: it stands at the end of its details.",
)


class PatternsField(forms.CharField):
    """Names of actions, with a comma between."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        found = value if isinstance(value, list) else str(value or "").split(",")
        return [name for each in found if (name := each.strip())]

    def validate(self, value: Any) -> None:
        for name in value:
            if not patterns.is_pattern(name):
                raise ValidationError("Name actions like refund.create, refund.* or *.")

    def run_validators(self, value: Any) -> None:
        """Each was looked at by itself."""


class ZoneField(forms.CharField):
    """A time zone by its name."""

    widget = UnfoldAdminTextInputWidget

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value not in available_timezones():
            raise ValidationError("Name a time zone like Europe/Berlin or UTC.")


def clean_title(text: str) -> str:
    title = " ".join(text.split())
    if visible_line(title) != title:
        raise ValidationError("Leave out what people cannot see.")
    return title


class PlaceForm(forms.ModelForm):  # type: ignore[type-arg]
    channel = forms.ChoiceField(
        choices=[(name, CHANNELS[name]) for name in SHARED],
        widget=UnfoldAdminSelectWidget,
    )
    group = forms.ModelChoiceField(
        Group.objects.exclude(name__startswith="Role: ").order_by("name"),
        required=False,
        empty_label=OPERATORS,
        widget=UnfoldAdminSelectWidget,
        help_text="It hears what this group is asked, and how that ends.",
    )

    class Meta:
        model = Place
        fields = ["title", "channel", "address", "group", "is_active"]
        help_texts = {
            "address": "A Slack channel's id, an e-mail address, or the name of a "
            "service in APPRISE_URLS.",
        }

    def clean_title(self) -> str:
        return clean_title(self.cleaned_data["title"])

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        channel, address = said.get("channel"), said.get("address", "")
        try:
            if channel == SLACK:
                _slack_channel(address)
            elif channel == EMAIL:
                validate_email(address)
            elif address and address not in settings.APPRISE_URLS:
                raise ValidationError("APPRISE_URLS has no service of this name.")
        except ValidationError as error:
            self.add_error("address", error)
        return said


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    topics = forms.MultipleChoiceField(
        choices=Topic.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None chosen: all of them.",
    )
    actions = PatternsField(
        required=False,
        help_text="refund.create, refund.*: with a comma between. Empty: every action.",
    )
    groups = forms.ModelMultipleChoiceField(
        Group.objects.exclude(name__startswith="Role: ").order_by("name"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Of requests that ask one of these. None chosen: all of them.",
    )
    channels = forms.MultipleChoiceField(
        label="Goes by",
        choices=[(name, CHANNELS[name]) for name in PERSONAL],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Beside the console, which always says it. None: the console alone. "
        "People can still leave out a channel for themselves.",
    )

    class Meta:
        model = Rule
        fields = [
            "title",
            "position",
            "topics",
            "actions",
            "groups",
            "least_risk",
            "most_risk",
            "channels",
            "places",
        ]
        labels = {"places": "Also tell the groups' channels"}
        help_texts = {
            "position": "The first rule that fits decides, lowest number first.",
            "least_risk": "Points from 0 to 100.",
            "most_risk": "What is about no request counts as 100.",
        }

    def clean_title(self) -> str:
        return clean_title(self.cleaned_data["title"])

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        if said.get("least_risk", 0) > said.get("most_risk", 100):
            self.add_error("most_risk", "It ends before it begins.")
        return said


class RotaForm(forms.ModelForm):  # type: ignore[type-arg]
    group = forms.ModelChoiceField(
        Group.objects.exclude(name__startswith="Role: ").order_by("name"),
        widget=UnfoldAdminSelectWidget,
    )
    time_zone = ZoneField(initial="UTC", max_length=50)

    class Meta:
        model = Rota
        fields = ["group", "starts_at", "days", "time_zone"]
        labels = {"starts_at": "First turn begins", "days": "Days of a turn"}

    def clean_days(self) -> int:
        days: int = self.cleaned_data["days"]
        if not 1 <= days <= 366:
            raise ValidationError("Let a turn last 1 to 366 days.")
        return days


# One's own

URGENT = {
    BANDS["medium"].start: "Medium risk and above",
    BANDS["high"].start: "High risk and above",
    BANDS["critical"].start: "Critical risk",
    101: "Nothing at all",
}
DIGESTS = {0: "At once", 15: "Every 15 minutes", 60: "Every hour", 240: "Every 4 hours"}
MUTED = {
    "": "No",
    "1": "For an hour",
    "8": "For 8 hours",
    "24": "For a day",
    "168": "For a week",
}
KEEP = "keep"
# Asked only where the administrator has set the channel up.
OFFERED = {"slack": SLACK, "sms": SMS, "phone": SMS}


class PreferenceForm(forms.ModelForm):  # type: ignore[type-arg]
    """What one person wants. The console always tells them."""

    email = forms.BooleanField(
        label="E-mail", required=False, widget=UnfoldBooleanSwitchWidget
    )
    slack = forms.BooleanField(
        label="Slack", required=False, widget=UnfoldBooleanSwitchWidget
    )
    sms = forms.BooleanField(
        label="SMS", required=False, widget=UnfoldBooleanSwitchWidget
    )
    phone = forms.CharField(
        label="Telephone number",
        required=False,
        max_length=16,
        validators=[phone_number],
        widget=UnfoldAdminTextInputWidget({"type": "tel", "autocomplete": "tel"}),
    )
    quiet_from = forms.TimeField(
        label="Quiet from", required=False, widget=UnfoldAdminSingleTimeWidget
    )
    quiet_until = forms.TimeField(
        label="Until", required=False, widget=UnfoldAdminSingleTimeWidget
    )
    time_zone = ZoneField(label="Time zone", max_length=50)
    digest_minutes = forms.TypedChoiceField(
        label="Mails on low risk",
        coerce=int,
        choices=list(DIGESTS.items()),
        widget=UnfoldAdminSelectWidget,
    )
    mute = forms.ChoiceField(
        label="Mute",
        required=False,
        choices=list(MUTED.items()),
        widget=UnfoldAdminSelectWidget,
    )
    urgent_from = forms.TypedChoiceField(
        label="Comes through all the same",
        coerce=int,
        choices=list(URGENT.items()),
        widget=UnfoldAdminSelectWidget,
    )
    own_agents = forms.BooleanField(
        label="Tell me what becomes of my own agents' requests",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    class Meta:
        model = Preference
        fields = [
            "email",
            "slack",
            "sms",
            "phone",
            "quiet_from",
            "quiet_until",
            "time_zone",
            "digest_minutes",
            "urgent_from",
            "own_agents",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, channel in OFFERED.items():
            # What is not asked stays as it was.
            if not is_set_up(channel):
                del self.fields[name]
        until = self.instance.muted_until
        if until and until > clock.now():
            field = self.fields["mute"]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [(KEEP, "Until it ends"), *MUTED.items()]
            field.initial = KEEP

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        if (said.get("quiet_from") is None) != (said.get("quiet_until") is None):
            self.add_error(
                "quiet_until", "Say both from when and until when, or neither."
            )
        if said.get("sms") and not said.get("phone"):
            self.add_error("phone", "Write the number that texts go to.")
        return said

    def save(self, commit: bool = True) -> Preference:
        wanted: Preference = super().save(commit=False)
        hours = self.cleaned_data["mute"]
        if hours != KEEP:
            later = clock.now() + timedelta(hours=int(hours)) if hours else None
            wanted.muted_until = later
        return wanted
