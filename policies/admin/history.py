"""What changed the rules, who agreed to it, and how to go back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextInputWidget

from governance.console import ReadOnly, label, number, person
from governance.errors import Refused
from policies import history, proposals, rows, services
from policies.bodies import Subject
from policies.models import ProposedChange, Revision
from policies.plan import Change, Reordering, shown

RESTORE = "policies.restore_revision"
TITLES = {"+": "new", "-": "ended", "~": "changed"}
TONES = {"+": "success", "-": "danger", "~": "info"}
OUTCOMES = {
    "": ("waits for a second person", "warning"),
    "confirmed": ("confirmed", "success"),
    "declined": ("declined", "danger"),
    "withdrawn": ("withdrawn", ""),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One rule's change, ready to be shown."""

    sign: str
    what: str
    name: str
    fields: Sequence[tuple[str, str, str]]

    @property
    def badge(self) -> SafeString:
        return label(TITLES[self.sign], TONES[self.sign])


def told(
    changes: Iterable[Change], reorderings: Iterable[Reordering] = ()
) -> list[Told]:
    found = [
        Told(
            change.sign,
            change.subject.label.lower(),
            "" if change.subject is Subject.DEFAULT else change.name,
            [(f.field, shown(f.old), shown(f.new)) for f in change.fields],
        )
        for change in changes
    ]
    for moved in reorderings:
        names = ", ".join(moved.before), ", ".join(moved.after)
        what = f"order of {moved.subject.label.lower()}"
        found.append(Told("~", what, "", [("order", *names)]))
    return found


class CommentForm(forms.Form):
    comment = forms.CharField(
        label="Comment",
        required=False,
        max_length=proposals.MAX_COMMENT,
        widget=UnfoldAdminTextInputWidget,
    )


class HistoryAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """A list to read, and a page of its own for each entry."""

    actions = None
    list_per_page = 50
    list_max_show_all = 0

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = self.get_object(request, object_id)
        if found is None:
            raise Http404
        if request.method == "POST":
            return self.act(request, found)
        return self.page(request, found)

    def page(
        self, request: HttpRequest, found: Any, status: int = 200
    ) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": str(found),
            "opts": self.opts,
            "original": found,
            "form": CommentForm(),
            **self.context(request, found),
        }
        return TemplateResponse(request, self.template, context, status=status)

    template = ""

    def context(self, request: HttpRequest, found: Any) -> dict[str, Any]:
        raise NotImplementedError

    def act(self, request: HttpRequest, found: Any) -> HttpResponse:
        raise NotImplementedError

    def refused(
        self, request: HttpRequest, found: Any, refusal: Refused
    ) -> TemplateResponse:
        self.message_user(request, str(refusal), messages.ERROR)
        return self.page(request, found, status=refusal.status)


@admin.register(Revision)
class RevisionAdmin(HistoryAdmin):
    list_display = ["number", "created_at", "who", "note", "what"]
    list_display_links = ["number", "created_at"]
    search_fields = ["note", "versions__name"]
    search_help_text = "The reason, or the name of a rule"
    ordering = ["-number"]
    template = "admin/policies/revision.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Revision]:
        rows: QuerySet[Revision] = super().get_queryset(request)
        people = rows.select_related("author", "confirmed_by")
        return people.annotate(touched=Count("versions"))

    @admin.display(description="by")
    def who(self, revision: Revision) -> str:
        author = str(revision.author or "system")
        second = revision.confirmed_by
        return f"{author}, confirmed by {second}" if second else author

    @admin.display(description="what")
    def what(self, revision: Revision) -> str:
        count = revision.touched  # type: ignore[attr-defined]
        if not count:
            return "another order"
        return "1 rule" if count == 1 else f"{count} rules"

    def context(self, request: HttpRequest, found: Revision) -> dict[str, Any]:
        other = self._other(request, found)
        if other is None:
            changes = told(history.changed_by(found))
        else:
            plan = history.compare(*sorted((found.number, other)))
            changes = told(plan.changes, plan.reorderings)
        latest = Revision.objects.order_by("-number").values_list("number", flat=True)
        return {
            "changes": changes,
            "other": other,
            "numbers": latest[:200],
            "is_latest": latest.first() == found.number,
            "may_restore": person(request).has_perm(RESTORE),
        }

    def _other(self, request: HttpRequest, found: Revision) -> int | None:
        other = number(request.GET.get("with", ""))
        known = Revision.objects.filter(number=other).exclude(pk=found.pk)
        return other if known.exists() else None

    def act(self, request: HttpRequest, found: Revision) -> HttpResponse:
        """Go back to the rules of this revision."""
        if not person(request).has_perm(RESTORE):
            raise PermissionDenied
        form = CommentForm(request.POST)
        note = form.cleaned_data["comment"] if form.is_valid() else ""
        try:
            done = history.restore(found.number, author=person(request), note=note)
        except Refused as refusal:
            return self.refused(request, found, refusal)
        if done.proposed:
            return redirect("admin:policies_proposedchange_change", done.proposed.pk)
        words = (
            f"The rules are those of revision {found.number} again."
            if done.plan
            else "Nothing to change: the rules already say this."
        )
        self.message_user(request, words)
        return redirect("admin:policies_revision_changelist")


@admin.register(ProposedChange)
class ProposedChangeAdmin(HistoryAdmin):
    list_display = ["proposal", "author", "created_at", "state", "decided_by"]
    list_select_related = ["author", "decided_by"]
    ordering = ["outcome", "-id"]
    template = "admin/policies/proposal.html"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        user = person(request)
        return super().has_view_permission(request, obj) or user.has_perm(
            proposals.CONFIRM
        )

    @admin.display(description="change", ordering="id")
    def proposal(self, proposed: ProposedChange) -> str:
        return f"{proposed.pk}: {proposed.note}" if proposed.note else str(proposed)

    @admin.display(description="state", ordering="outcome")
    def state(self, proposed: ProposedChange) -> SafeString:
        return label(*OUTCOMES[proposed.outcome])

    def context(self, request: HttpRequest, found: ProposedChange) -> dict[str, Any]:
        user = person(request)
        stale = (
            [] if found.outcome else list(proposals.overtaken(found, rows.read_all()))
        )
        return {
            "title": "Change of the rules",
            "changes": told(proposals.changes(found)),
            "orders": found.orders,
            "badge": label(*OUTCOMES[found.outcome]),
            "stale": stale,
            "is_own": found.author_id == user.pk,
            "may_confirm": user.has_perm(proposals.CONFIRM),
        }

    def act(self, request: HttpRequest, found: ProposedChange) -> HttpResponse:
        form = CommentForm(request.POST)
        if not form.is_valid():
            self.message_user(request, "Keep the comment short.", messages.ERROR)
            return self.page(request, found, status=422)
        comment, user = form.cleaned_data["comment"], person(request)
        try:
            match request.POST.get("verdict"):
                case "confirm":
                    services.confirm(found, user, comment=comment)
                    words = "Confirmed: the rules have changed."
                case "decline":
                    proposals.decline(found, user, comment=comment)
                    words = "Declined: the rules stay as they are."
                case _:
                    proposals.withdraw(found, user, comment=comment)
                    words = "Withdrawn: the rules stay as they are."
        except Refused as refusal:
            return self.refused(request, found, refusal)
        self.message_user(request, words)
        return redirect("admin:policies_proposedchange_changelist")
