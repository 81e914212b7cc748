"""Which of several requests can be decided with one word? Shown first, then done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    QueryDict,
)
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from approvals import remarks, services
from approvals.console import access, words
from approvals.console.forms import refuse, textarea
from approvals.console.selection import Selection
from approvals.course import Course
from approvals.models import ApprovalRequest, Vote
from approvals.services.bulk import Answer
from governance.errors import Refused
from governance.models import Status

QUEUE = "admin:approvals_approvalrequest_changelist"
VERDICTS = {
    verdict.value: verdict for verdict in (Vote.Verdict.APPROVE, Vote.Verdict.REJECT)
}


class BulkForm(forms.Form):
    """One comment for all of them."""

    comment = forms.CharField(
        required=False, widget=textarea(3, "Why? The agents read it.", key="m")
    )

    def __init__(self, *args: Any, verdict: Vote.Verdict, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["comment"].required = verdict == Vote.Verdict.REJECT
        self.fields["comment"].error_messages["required"] = (
            "Say why, once for all of them."
        )

    def clean_comment(self) -> str:
        comment = "\n".join(self.cleaned_data["comment"].splitlines())
        refuse(remarks.problems(comment, []))
        return comment


def several(request: HttpRequest) -> HttpResponse:
    """Show what would be decided together; on POST, decide it."""
    if not access.may_open(request):
        raise PermissionDenied
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    sent = request.POST if request.method == "POST" else request.GET
    verdict = VERDICTS.get(sent.get("verdict", ""))
    if verdict is None:
        raise Http404
    picked = _picked(sent)
    if not picked:
        messages.error(request, "Pick some requests first.")
        return redirect(QUEUE)
    selection = Selection(access.person(request), verdict, picked)
    if request.method == "POST":
        return _decide(request, selection)
    return _page(request, selection, BulkForm(verdict=verdict))


def _picked(sent: QueryDict) -> list[UUID]:
    """Return what was picked, each once. What is no key cannot have been."""
    found: dict[UUID, None] = {}
    for text in sent.getlist("pick"):
        try:
            found[UUID(text)] = None
        except ValueError:
            continue
    return list(found)


def _decide(request: HttpRequest, selection: Selection) -> HttpResponse:
    """Hand the verdict to the service, with the digests that the page showed."""
    form = BulkForm(request.POST, verdict=selection.verdict)
    if not form.is_valid():
        return _page(request, selection, form, status=422)
    shown = [
        (each, request.POST.get(f"digest-{each.pk}", "")) for each in selection.requests
    ]
    try:
        answers = services.decide_each(
            shown,
            selection.person,
            selection.verdict,
            comment=form.cleaned_data["comment"],
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return _page(request, selection, form, status=refusal.status)
    return _told(request, answers, selection.unknown)


def _told(
    request: HttpRequest, answers: Sequence[Answer], unknown: int
) -> HttpResponse:
    """Say what came of each: in a sentence if all went well, else one by one."""
    courses = [answer.course for answer in answers if answer.course]
    summary = _summary(courses)
    if len(courses) == len(answers) and not unknown:
        messages.success(request, f"{summary}.")
        return redirect(QUEUE)
    context = {
        "title": "Decided together",
        "summary": summary,
        "courses": courses,
        "refused": [answer for answer in answers if answer.refusal],
        "unknown": unknown,
    }
    return _render(request, "approvals/console/bulk_done.html", context)


def _summary(courses: Iterable[Course]) -> str:
    """Count what the verdicts led to: ``3 approved``."""
    led_to = Counter(_led_to(course) for course in courses)
    return words.listed([f"{count} {fate}" for fate, count in led_to.items()])


def _led_to(course: Course) -> str:
    if course.action.status == Status.PENDING:
        return "waiting for more people"
    return words.STATUSES[Status(course.action.status)].text.lower()


def _page(
    request: HttpRequest, selection: Selection, form: BulkForm, status: int = 200
) -> HttpResponse:
    verb = selection.verdict.label
    context = {
        "title": f"{verb} together",
        "verb": verb,
        "verdict": selection.verdict.value,
        "selection": selection,
        "form": form,
    }
    return _render(request, "approvals/console/bulk.html", context, status)


def _render(
    request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> TemplateResponse:
    context = {
        **admin.site.each_context(request),
        "opts": ApprovalRequest._meta,
        "queue_url": QUEUE,
        **context,
    }
    return TemplateResponse(request, template, context, status=status)
