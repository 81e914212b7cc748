"""The page of wordings, with a preview on a request that was really made."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from governance.text_safety import visible
from notifications import messages
from notifications.models import Delivery
from notifications.phrasing.filling import NAMES, phrased, unknown
from notifications.phrasing.models import EVERY, WORDED, Phrase
from notifications.phrasing.samples import sample
from notifications.routing.admin import RoutingAdmin
from notifications.routing.models import CHANNELS, EMAIL, OTHER, SMS
from notifications.topics import Topic
from notifications.transports.short import line
from policies import patterns

# What is about a request: all else has nothing to look up.
TOPICS = [
    (topic.value, topic.label)
    for topic in Topic
    if topic
    not in (
        Topic.STOPPED,
        Topic.GOING_ON,
        Topic.WEBHOOKS,
        Topic.TROUBLE,
        Topic.MENDED,
    )
]


class PhraseForm(forms.ModelForm):  # type: ignore[type-arg]
    topic = forms.ChoiceField(choices=TOPICS, widget=UnfoldAdminSelectWidget)
    channel = forms.ChoiceField(
        choices=[(EVERY, "Every channel"), *WORDED],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    pattern = forms.CharField(
        label="Actions",
        initial="*",
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text="refund.create, refund.* or *. The wording for fewest actions is taken.",
    )
    title = forms.CharField(
        required=False,
        max_length=150,
        widget=UnfoldAdminTextInputWidget,
        help_text="The subject of a mail. Empty: as usual.",
    )
    opening = forms.CharField(
        required=False,
        max_length=1000,
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
        help_text="What comes first, and all that a text says. Names in braces are "
        f"filled in: {', '.join(f'{{{name}}}' for name in NAMES)}; parameters as "
        "{params.amount}. Facts and parameters follow by themselves.",
    )

    class Meta:
        model = Phrase
        fields = ["topic", "channel", "pattern", "title", "opening"]

    def clean_pattern(self) -> str:
        pattern: str = self.cleaned_data["pattern"]
        if not patterns.is_pattern(pattern):
            raise ValidationError("Name actions like refund.create, refund.* or *.")
        return pattern

    def clean_title(self) -> str:
        return _checked(" ".join(self.cleaned_data["title"].split()))

    def clean_opening(self) -> str:
        return _checked(self.cleaned_data["opening"].replace("\r\n", "\n").strip())

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        if not self.errors and not said.get("title") and not said.get("opening"):
            raise ValidationError("Write a title, an opening, or both.")
        return said


def _checked(text: str) -> str:
    if visible(text) != text:
        raise ValidationError("Leave out what people cannot see.")
    if wrong := list(dict.fromkeys(unknown(text))):
        raise ValidationError(f"Nothing is called {', '.join(wrong)}.")
    return text


@admin.register(Phrase)
class PhraseAdmin(RoutingAdmin):
    form = PhraseForm
    change_form_after_template = "notifications/preview.html"
    list_display = ["about", "by", "pattern", "title"]
    list_filter = ["topic", "channel"]
    search_fields = ["title", "opening", "pattern"]

    @admin.display(description="messages", ordering="topic")
    def about(self, phrase: Phrase) -> str:
        return Topic(phrase.topic).label

    @admin.display(description="goes by", ordering="channel")
    def by(self, phrase: Phrase) -> str:
        return CHANNELS.get(phrase.channel, "Every channel")

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "preview/",
            self.admin_site.admin_view(require_POST(self._preview)),
            name="notifications_phrase_preview",
        )
        return [own, *super().get_urls()]

    def _preview(self, request: HttpRequest) -> HttpResponse:
        """Answer with what a message would look like. Nothing is kept."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        # One that is there already is no reason not to look at it.
        names = ("topic", "channel", "pattern")
        same = {name: request.POST.get(name, "") for name in names}
        form = PhraseForm(request.POST, instance=Phrase.objects.filter(**same).first())
        shown = form.instance if form.is_valid() else None
        context = {"form": form, **(_shown(shown) if shown else {})}
        return TemplateResponse(request, "notifications/previewed.html", context)


def _shown(phrase: Phrase) -> dict[str, Any]:
    """Return what it says about the latest request it could be about."""
    found = sample(phrase.pattern, Topic(phrase.topic))
    if found is None:
        return {"nothing": True}
    event, about = found
    delivery = Delivery(pk=0, event=event, channel=phrase.channel or EMAIL)
    composed = messages.plainly(delivery, "you@example.com", about)
    message = phrased(composed, phrase, about)
    if phrase.channel in (SMS, OTHER):
        return {"text": f"{line(message)}. {message.url}"}
    html = render_to_string("notifications/email.html", {"message": message})
    return {"title": message.title, "html": html}
