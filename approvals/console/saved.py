"""Which views of the queue does a person keep under a name?"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from approvals.console import access
from approvals.console.filters import Choice
from approvals.models import SavedView
from governance.models import User

QUEUE = "admin:approvals_approvalrequest_changelist"
MOST = 20
LONGEST = SavedView._meta.get_field("query").max_length or 0


class SavedViewForm(forms.Form):
    """A name for what the page shows, or another name for a view."""

    name = forms.CharField(
        max_length=50,
        error_messages={
            "required": "Give the view a name.",
            "max_length": "Keep the name under 51 characters.",
        },
    )
    query = forms.CharField(required=False, max_length=10_000)

    def __init__(self, *args: Any, person: User, view: SavedView | None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.person, self.view = person, view

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        others = SavedView.objects.filter(person=self.person)
        if self.view:
            others = others.exclude(pk=self.view.pk)
        elif others.count() >= MOST:
            raise ValidationError(f"You have {MOST} views: delete one first.")
        if others.filter(name=name).exists():
            raise ValidationError("You have a view of that name.")
        return name

    def clean_query(self) -> str:
        """Keep what an address of this page can mean, and nothing else."""
        query = Choice.of(QueryDict(self.cleaned_data["query"])).query
        if len(query) > LONGEST:
            raise ValidationError("That is too much to keep: search for less.")
        return query

    @property
    def problem(self) -> str:
        return next(str(said) for each in self.errors.values() for said in each)


def keep(request: HttpRequest) -> HttpResponse:
    """Save what the page shows under a name."""
    return _written(request, None)


def change(request: HttpRequest, view: int) -> HttpResponse:
    """Give a view another name, or delete it."""
    person = _person(request)
    found = get_object_or_404(SavedView, pk=view, person=person)
    if request.method == "POST" and "delete" in request.POST:
        found.delete()
        messages.success(request, f"Deleted the view “{found}”.")
        return _back(found.query)
    return _written(request, found)


@transaction.atomic
def _written(request: HttpRequest, view: SavedView | None) -> HttpResponse:
    """Write it, one page of a person after the other."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    person = _person(request)
    User.objects.select_for_update(no_key=True).get(pk=person.pk)
    form = SavedViewForm(request.POST, person=person, view=view)
    if not form.is_valid():
        messages.error(request, form.problem)
        return _back(view.query if view else request.POST.get("query", ""))
    made = view or SavedView(person=person, query=form.cleaned_data["query"])
    made.name = form.cleaned_data["name"]
    made.save()
    messages.success(request, f"Saved the view “{made}”.")
    return _back(made.query)


def _person(request: HttpRequest) -> User:
    if not access.may_open(request):
        raise PermissionDenied
    return access.person(request)


def _back(query: str) -> HttpResponse:
    """Return to the same list. Only what is understood of an address goes into one."""
    return redirect(f"{reverse(QUEUE)}?{Choice.of(QueryDict(query)).query}")
