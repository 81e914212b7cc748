"""The console's page of stand-ins: who decides for whom, and a form to hand over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.timezone import localtime
from unfold.admin import ModelAdmin

from approvals import services
from approvals.console import access
from approvals.models import Delegation
from approvals.services.delegation import FOR_OTHERS, may_end
from governance import clock
from governance.console import ReadOnly, person
from governance.errors import Refused
from governance.models import User

PAGE = "admin:approvals_delegation_changelist"
QUEUE = "admin:approvals_approvalrequest_changelist"
MOST_NAMES = 500
MOST_EARLIER = 50
# As browsers send what is chosen in a field for a day and a time.
TIMES = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def people() -> QuerySet[User]:
    """Return those who can log in, and so can stand in."""
    return User.objects.filter(is_active=True, is_staff=True).order_by("username")


class DelegationForm(forms.Form):
    """What somebody hands over. The service says what is wrong with it."""

    to = forms.ModelChoiceField(people(), to_field_name="username")
    person = forms.ModelChoiceField(
        people(), to_field_name="username", required=False, blank=True
    )
    starts_at = forms.DateTimeField(required=False, input_formats=TIMES)
    ends_at = forms.DateTimeField(input_formats=TIMES)
    reason = forms.CharField(required=False)

    @property
    def problem(self) -> str:
        names = {
            "to": "Choose who stands in, by their username.",
            "person": "Choose whose queue it is, by their username.",
            "starts_at": "Choose a day and a time at which it begins.",
            "ends_at": "Choose a day and a time at which it ends.",
        }
        return next((said for name, said in names.items() if name in self.errors), "")


@admin.register(Delegation)
class DelegationAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """One page: who stands in now, a form, and who did before."""

    def has_view_permission(
        self, request: HttpRequest, obj: Delegation | None = None
    ) -> bool:
        return access.may_open(request) or _sees_all(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_authenticated and self.has_view_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delegation]:
        rows = Delegation.objects.select_related(
            "person", "to", "created_by", "ended_by"
        )
        return rows if _sees_all(request) else rows.filter(_concerns(person(request)))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._hand_over(request)
        return self._page(request)

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """The list says all there is to say."""
        return redirect(PAGE)

    def _hand_over(self, request: HttpRequest) -> HttpResponse:
        if not _has_queue(request):
            raise PermissionDenied
        form = DelegationForm(request.POST)
        if not form.is_valid():
            self.message_user(request, form.problem, "error")
            return self._page(request, form, status=422)
        said, me = form.cleaned_data, person(request)
        try:
            made = services.delegate(
                said["person"] or me,
                said["to"],
                starts_at=said["starts_at"],
                ends_at=said["ends_at"],
                reason=said["reason"],
                author=me,
            )
        except Refused as refusal:
            self.message_user(request, str(refusal), "error")
            return self._page(request, form, status=refusal.status)
        whose = "you" if made.person == me else str(made.person)
        self.message_user(request, f"{made.to} decides in place of {whose}.", "success")
        return redirect(PAGE)

    def _page(
        self,
        request: HttpRequest,
        form: DelegationForm | None = None,
        status: int = 200,
    ) -> TemplateResponse:
        at, me = clock.now(), person(request)
        rows = self.get_queryset(request)
        current = Q(ended_at=None, ends_at__gt=at)
        ahead = rows.filter(current).order_by("starts_at", "pk")[:MOST_NAMES]
        context = {
            **self.admin_site.each_context(request),
            "title": "Stand-ins",
            "opts": self.opts,
            "media": self.media,
            "ahead": [(each, each.starts_at > at, may_end(each, me)) for each in ahead],
            "earlier": rows.exclude(current)[:MOST_EARLIER],
            "for_others": me.has_perm(FOR_OTHERS),
            "may_hand_over": _has_queue(request),
            "people": people().exclude(pk=me.pk)[:MOST_NAMES],
            "me": me,
            "said": form.data if form else _suggested(at),
        }
        return TemplateResponse(
            request, "approvals/console/stand_ins.html", context, status=status
        )

    def get_urls(self) -> list[URLPattern]:
        end = path(
            "<int:object_id>/end/",
            self.admin_site.admin_view(self.end_view),
            name="approvals_delegation_end",
        )
        # First, or the catch-all change view would swallow it.
        return [end, *super().get_urls()]

    def end_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        delegation = get_object_or_404(self.get_queryset(request), pk=object_id)
        try:
            services.end_delegation(delegation, person(request))
        except Refused as refusal:
            self.message_user(request, str(refusal), "error")
        else:
            told = f"{delegation.to} no longer decides in place of {delegation.person}."
            self.message_user(request, told, "success")
        return redirect(QUEUE if request.POST.get("next") == "queue" else PAGE)


def _sees_all(request: HttpRequest) -> bool:
    named = (FOR_OTHERS, "approvals.view_delegation")
    return any(map(person(request).has_perm, named))


def _has_queue(request: HttpRequest) -> bool:
    """Whether there is anything to hand over: one's own queue, or that of others."""
    me = person(request)
    return me.has_perm(FOR_OTHERS) or access.is_asked(me)


def _concerns(user: User) -> Q:
    return Q(person=user) | Q(to=user) | Q(created_by=user)


def _suggested(at: datetime) -> dict[str, str]:
    """Return what the form begins with: now, to the end of a week."""
    end = localtime(at).replace(hour=18, minute=0) + timedelta(days=7)
    return {"ends_at": f"{end:%Y-%m-%dT%H:%M}"}


@dataclass(frozen=True, slots=True)
class Absence:
    """Who has this person's queue, and whose queues this person has."""

    handed: Delegation | None
    held: list[Delegation]


def absence(user: User) -> Absence:
    """Return what the top of the queue has to say about it, in one query."""
    active = Delegation.objects.active(clock.now()).select_related("person", "to")
    rows = list(active.filter(Q(person=user) | Q(to=user)).order_by("ends_at", "pk"))
    handed = next((each for each in rows if each.person_id == user.pk), None)
    return Absence(handed, [each for each in rows if each.to_id == user.pk])
