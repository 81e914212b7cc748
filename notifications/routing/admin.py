"""The pages on which administrators say who hears what, where and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from governance import clock
from governance.console import person
from governance.text_safety import visible_line
from notifications.routing import changing
from notifications.routing.changing import Thing
from notifications.routing.forms import OPERATORS, PlaceForm, RotaForm, RuleForm
from notifications.routing.models import CHANNELS, Place, Rota, Rule, Turn
from notifications.routing.rota import on_call
from notifications.topics import Topic


class RoutingAdmin(ModelAdmin):  # type: ignore[misc]
    """Whatever is changed here is on the record, related rows included."""

    list_per_page = 50
    compressed_fields = False

    def save_model(self, request: HttpRequest, obj: Thing, *args: Any) -> None:
        kept = type(obj)._default_manager.filter(pk=obj.pk).first()
        request._before = changing.describe(kept)  # type: ignore[attr-defined]
        super().save_model(request, obj, *args)

    def save_related(self, request: HttpRequest, form: Any, *args: Any) -> None:
        super().save_related(request, form, *args)
        before = request._before  # type: ignore[attr-defined]
        changing.changed(form.instance, before, person(request))

    def delete_model(self, request: HttpRequest, obj: Thing) -> None:
        changing.remove(obj, person(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for thing in queryset:
            changing.remove(thing, person(request))

    def construct_change_message(self, *args: Any) -> Sequence[Any]:
        """The record says what has changed, for every way to change it."""
        return []


@admin.register(Place)
class PlaceAdmin(RoutingAdmin):
    form = PlaceForm
    list_display = ["name", "by", "address", "whose", "state"]
    list_filter = ["channel", "is_active"]
    list_select_related = ["group"]
    search_fields = ["title", "address"]

    @admin.display(description="channel", ordering="title")
    def name(self, place: Place) -> str:
        return visible_line(place.title)

    @admin.display(description="goes by", ordering="channel")
    def by(self, place: Place) -> str:
        return CHANNELS[place.channel]

    @admin.display(description="group", ordering="group__name")
    def whose(self, place: Place) -> str:
        return (
            visible_line(place.group.name) if place.group else OPERATORS.split(":")[0]
        )

    @display(  # type: ignore[untyped-decorator]
        description="state", label={"on": "success", "off": "warning"}
    )
    def state(self, place: Place) -> tuple[str, str]:
        return ("on", "In use") if place.is_active else ("off", "Switched off")


@admin.register(Rule)
class RuleAdmin(RoutingAdmin):
    form = RuleForm
    list_display = ["title", "position", "about", "risk", "goes_by"]
    search_fields = ["title"]
    fieldsets = [
        (None, {"fields": [("title", "position")]}),
        (
            "Which messages",
            {"fields": ["topics", "actions", "groups", ("least_risk", "most_risk")]},
        ),
        ("How they go", {"fields": ["channels", "places"]}),
    ]

    @admin.display(description="messages")
    def about(self, rule: Rule) -> str:
        topics = ", ".join(Topic(name).label for name in rule.topics)
        actions = ", ".join(rule.actions)
        return (
            visible_line(" · ".join(part for part in (topics, actions) if part))
            or "All"
        )

    @admin.display(description="risk", ordering="least_risk")
    def risk(self, rule: Rule) -> str:
        if (rule.least_risk, rule.most_risk) == (0, 100):
            return "Any"
        return f"{rule.least_risk} to {rule.most_risk}"

    @admin.display(description="goes by")
    def goes_by(self, rule: Rule) -> str:
        told = [CHANNELS[name] for name in rule.channels]
        if rule.places:
            told.append("the groups' channels")
        return ", ".join(told) or "The console alone"


class TurnInline(TabularInline):  # type: ignore[misc]
    model = Turn
    fields = ["position", "person"]
    extra = 0
    min_num = 1
    verbose_name = "person"
    verbose_name_plural = "people, in the order of their turns"

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "person" and field:
            field.queryset = field.queryset.filter(is_active=True).order_by("username")
        return field


@admin.register(Rota)
class RotaAdmin(RoutingAdmin):
    form = RotaForm
    inlines = [TurnInline]
    list_display = ["of", "first", "each", "starts_at"]
    list_select_related = ["group"]

    @admin.display(description="group", ordering="group__name")
    def of(self, rota: Rota) -> str:
        return visible_line(rota.group.name)

    @admin.display(description="whose turn it is")
    def first(self, rota: Rota) -> str:
        turns = rota.turns.select_related("person")
        people = {
            turn.person_id: turn.person for turn in turns if turn.person.is_active
        }
        found = on_call(rota, clock.now(), set(people))
        return visible_line(people[found].username) if found else "Nobody's"

    @admin.display(description="turns last", ordering="days")
    def each(self, rota: Rota) -> str:
        return "1 day" if rota.days == 1 else f"{rota.days} days"
