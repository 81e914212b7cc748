"""What is the same about the page of every rule: it is saved, versioned and ended alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.enums import ActionVariant

from governance.console import Undeletable, act_page, person
from governance.errors import Refused
from policies import history, services
from policies.admin.forms import NoteForm, RuleForm
from policies.bodies import Subject
from policies.models import ProposedChange, Version
from policies.plan import Change, FieldChange, shown

LATEST = 50
_PROPOSED = "_countersign_proposed"


def waits(request: HttpRequest) -> ProposedChange | None:
    """Return what this request proposed, instead of changing a rule."""
    proposed: ProposedChange | None = getattr(request, _PROPOSED, None)
    return proposed


@dataclass(frozen=True, slots=True)
class Step:
    """One version, and what it changed."""

    version: Version
    changes: list[str]


def steps(subject: Subject, name: str) -> Iterator[Step]:
    """Yield the latest versions of a rule, newest first."""
    rows = Version.objects.filter(subject=subject, name=name).order_by("-number")
    versions = [*rows.select_related("revision__author")[: LATEST + 1], None]
    for newer, older in pairwise(versions[: LATEST + 1]):
        assert newer
        before = older.body if older else None
        change = Change(subject, name, before, newer.body)
        yield Step(newer, [_told(each) for each in change.fields])


def _told(change: FieldChange) -> str:
    return f"{change.field}: {shown(change.old)} → {shown(change.new)}"


class RuleAdmin(Undeletable, ModelAdmin):  # type: ignore[misc]
    """Rules are created and changed by the services, never by saving the model."""

    form: type[RuleForm]
    list_per_page = 50
    actions = None
    actions_detail = ["remove"]
    change_form_after_template = "admin/policies/versions.html"
    identity: tuple[str, ...] = ("name",)
    compressed_fields = True

    @property
    def subject(self) -> Subject:
        return self.form.subject

    def name_of(self, rule: Any) -> str:
        return str(rule.name)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [*(self.form._meta.fields or []), "note"]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Model | None = None
    ) -> list[str]:
        """What it is called identifies a rule across its versions: it stays."""
        return list(self.identity) if obj else []

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **options)
        except Refused as refusal:
            # Somebody changed another rule since the form was checked.
            self.message_user(request, str(refusal), messages.ERROR)
            return redirect(request.path)

    def save_model(
        self, request: HttpRequest, obj: Any, form: Any, change: Any
    ) -> None:
        """The services save it, when all of it has been read."""

    def save_related(
        self, request: HttpRequest, form: Any, formsets: Any, change: bool
    ) -> None:
        note = form.cleaned_data["note"]
        done = self.save_rule(request, self.raw(form, formsets), note)
        setattr(request, _PROPOSED, done.proposed if done else None)
        if form.instance.pk is None and not waits(request):
            form.instance.pk = self.saved(form.instance).pk

    def raw(self, form: Any, formsets: Any) -> dict[str, Any]:
        found: dict[str, Any] = form.raw()
        return found

    def save_rule(
        self, request: HttpRequest, raw: dict[str, Any], note: str
    ) -> services.Done | None:
        return services.save(self.subject, raw, author=person(request), note=note)

    # Where two people must agree, saving only proposes.

    def log_addition(self, request: HttpRequest, *args: Any) -> Any:
        return None if waits(request) else super().log_addition(request, *args)

    def log_change(self, request: HttpRequest, *args: Any) -> Any:
        return None if waits(request) else super().log_change(request, *args)

    def response_add(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        proposed = waits(request)
        if proposed:
            return self.to_proposal(request, proposed)
        return super().response_add(request, *args, **options)

    def response_change(self, request: HttpRequest, *args: Any) -> Any:
        proposed = waits(request)
        if proposed:
            return self.to_proposal(request, proposed)
        return super().response_change(request, *args)

    def to_proposal(
        self, request: HttpRequest, proposed: ProposedChange
    ) -> HttpResponse:
        words = "Nothing has changed yet: somebody else has to confirm it."
        self.message_user(request, words, messages.WARNING)
        return redirect("admin:policies_proposedchange_change", proposed.pk)

    def saved(self, rule: Model) -> Model:
        keys = {name: getattr(rule, name) for name in self.identity}
        return self.model._default_manager.get(**keys)  # type: ignore[no-any-return]

    def construct_change_message(self, *args: Any) -> list[Any]:
        return []

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: Model | None = None,
        **options: Any,
    ) -> Any:
        if obj is not None:
            context["steps"] = list(steps(self.subject, self.name_of(obj)))
            context["restore"] = self._page().replace("_change", "_restore")
            context["may_restore"] = self.has_change_permission(request, obj)
        return super().render_change_form(request, context, *args, obj=obj, **options)

    # One version of one rule

    def get_urls(self) -> list[URLPattern]:
        restore = path(
            "<path:object_id>/version/<int:number>/",
            self.admin_site.admin_view(self.restore_view),
            name=f"{self.opts.app_label}_{self.opts.model_name}_restore",
        )
        # First, or the catch-all change view would swallow it.
        return [restore, *super().get_urls()]

    def restore_view(
        self, request: HttpRequest, object_id: str, number: int
    ) -> HttpResponse:
        """Show what returning to a version would change, and return to it."""
        rule = self.get_object(request, object_id)
        if rule is None:
            raise Http404
        if not self.has_change_permission(request, rule):
            raise PermissionDenied
        name = self.name_of(rule)
        form = NoteForm(request.POST if request.method == "POST" else None)
        try:
            if form.is_valid():
                return self._restored(request, rule, number, form.cleaned_data["note"])
            plan = history.preview_rule(self.subject, name, number)
        except Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return redirect(self._page(), rule.pk)
        return act_page(
            self,
            request,
            rule,
            f"Return to version {number} of {rule}",
            form=form,
            verb="Return to it",
            intro="It takes effect with the next submission, as a new version."
            if plan
            else "The rule says this already: nothing would change.",
            lines=[_told(each) for change in plan.changes for each in change.fields],
        )

    def _restored(
        self, request: HttpRequest, rule: Any, number: int, note: str
    ) -> HttpResponse:
        done = history.restore_rule(
            self.subject, self.name_of(rule), number, author=person(request), note=note
        )
        if done.proposed:
            return self.to_proposal(request, done.proposed)
        self.message_user(request, f"{rule} says what version {number} said.")
        return redirect(self._page(), rule.pk)

    def _page(self) -> str:
        return f"admin:{self.opts.app_label}_{self.opts.model_name}_change"

    def has_remove_permission(
        self, request: HttpRequest, object_id: str | None = None
    ) -> bool:
        opts = self.opts
        return person(request).has_perm(f"{opts.app_label}.delete_{opts.model_name}")

    @action(
        description="Remove",
        icon="delete",
        permissions=["remove"],
        variant=ActionVariant.DANGER,
    )  # type: ignore[untyped-decorator]
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.end(
            request,
            object_id,
            verb="Remove",
            intro="It no longer counts from the next submission on. Its versions stay on "
            "record.",
        )

    def end(
        self, request: HttpRequest, object_id: str, *, verb: str, intro: str
    ) -> HttpResponse:
        rule = self.get_object(request, object_id)
        if rule is None:
            raise Http404
        if not self.has_view_permission(request, rule):
            raise PermissionDenied
        form = NoteForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            return self._ended(request, rule, form.cleaned_data["note"])
        return act_page(
            self,
            request,
            rule,
            f"{verb} {rule}",
            form=form,
            verb=verb,
            danger=True,
            intro=intro,
        )

    def _ended(self, request: HttpRequest, rule: Any, note: str) -> HttpResponse:
        opts = self.opts
        try:
            done = self.end_rule(request, rule, note)
        except Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return redirect(self._page(), rule.pk)
        if done.proposed:
            return self.to_proposal(request, done.proposed)
        self.message_user(request, f"{rule} is no longer in force.")
        return redirect(f"admin:{opts.app_label}_{opts.model_name}_changelist")

    def end_rule(self, request: HttpRequest, rule: Any, note: str) -> services.Done:
        return services.remove(
            self.subject, self.name_of(rule), author=person(request), note=note
        )
