"""What waits under rules that have changed since? And the buttons that judge it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from approvals import services
from approvals.console import access, words
from approvals.models import REJUDGE, ApprovalRequest, ApprovalRequestQuerySet
from governance.errors import Refused
from governance.models import Action, Status, User
from policies.rules import Decision

VIEW = "drift"
QUEUE = "admin:approvals_approvalrequest_changelist"
REVIEW = "admin:approvals_approvalrequest_change"
# More are judged with the next click, or by the command.
AT_ONCE = 200
MOST_NAMED = 3
_REMEMBERED = "_countersign_drift"


def rows(user: User) -> ApprovalRequestQuerySet:
    return ApprovalRequest.objects.visible_to(user).drifted()


def may_judge_again(user: User) -> bool:
    return user.has_perm(f"approvals.{REJUDGE}")


@dataclass(frozen=True, slots=True)
class Drift:
    """What would happen to one request now, and whether this person may see to it."""

    sentence: str
    tone: str
    may_judge_again: bool


def of(request: ApprovalRequest, user: User) -> Drift | None:
    if not request.drift:
        return None
    tone = "bad" if request.drift["decision"] == Decision.BLOCK else "warn"
    return Drift(_told(request.drift), tone, may_judge_again(user))


def _told(drift: dict[str, Any]) -> str:
    """Say what the rules of now would lead to, and by which policies."""
    said = f"The rules have changed. By now it would {_fate(drift)}"
    policies = words.listed(drift["policies"])
    return f"{said}, by {policies}." if policies else f"{said}."


def _fate(drift: dict[str, Any]) -> str:
    match drift["decision"]:
        case Decision.BLOCK:
            return "be blocked"
        case Decision.ALLOW:
            return "be allowed without asking anybody"
        case _:
            return f"need {words.listed(drift['groups'])}"


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence on everything that has drifted, and where to look at it."""

    count: int
    sentence: str
    link: str
    may_judge_again: bool


def notice(request: HttpRequest) -> Notice | None:
    """Return what there is to say to this person. Asked once per page."""
    if not hasattr(request, _REMEMBERED):
        setattr(request, _REMEMBERED, _notice(access.person(request)))
    remembered: Notice | None = getattr(request, _REMEMBERED)
    return remembered


def _notice(user: User) -> Notice | None:
    fates = _fates(user)
    count = sum(fates.values())
    if not count:
        return None
    link = f"{reverse(QUEUE)}?show={VIEW}"
    return Notice(count, _sentence(fates), link, may_judge_again(user))


def count(request: HttpRequest) -> int:
    found = notice(request)
    return found.count if found else 0


def _fates(user: User) -> Counter[str]:
    """Count what would happen, blocks first."""
    found = rows(user).order_by().values_list("drift").annotate(Count("pk"))
    fates: Counter[str] = Counter()
    for drift, count in sorted(found, key=_by_severity):
        fates[_fate(drift)] += count
    return fates


def _by_severity(found: tuple[dict[str, Any], int]) -> tuple[int, str]:
    decision = Decision(found[0]["decision"])
    return -decision.strictness, _fate(found[0])


def _sentence(fates: Counter[str]) -> str:
    named = list(fates.items())[:MOST_NAMED]
    rest = sum(fates.values()) - sum(count for _, count in named)
    (fate, count), *others = named
    noun = "request" if count == 1 else "requests"
    parts = [f"{count} waiting {noun} would now {fate}"]
    parts += [f"{count} would {fate}" for fate, count in others]
    parts += [f"{rest} would need others"] if rest else []
    return f"{', '.join(parts)}."


# The buttons


def judge_again(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Judge one request again, and show what became of it."""
    if refused := _refused(request):
        return refused
    user = access.person(request)
    visible = ApprovalRequest.objects.visible_to(user)
    approval = get_object_or_404(visible, pk=object_id)
    if not _is_confirmed(request):
        return redirect(REVIEW, approval.pk)
    try:
        course = services.rejudge(approval, user)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect(REVIEW, approval.pk)
    messages.success(request, f"Judged again: {_became(course.action)}.")
    return redirect(REVIEW, (course.request or approval).pk)


def judge_all_again(request: HttpRequest) -> HttpResponse:
    """Judge again what has drifted and this person may see, each in a step of its own."""
    if refused := _refused(request):
        return refused
    if _is_confirmed(request):
        for level, sentence in _judge_all(access.person(request)):
            messages.add_message(request, level, sentence)
    return redirect(f"{reverse(QUEUE)}?show={VIEW}")


def _judge_all(user: User) -> Iterator[tuple[int, str]]:
    became: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for approval in rows(user).order_by("pk")[:AT_ONCE]:
        try:
            became[_became(services.rejudge(approval, user).action)] += 1
        except Refused as refusal:
            refused[str(refusal)] += 1
    if became:
        parts = words.listed([f"{count} {fate}" for fate, count in became.items()])
        yield messages.SUCCESS, f"{became.total()} judged again: {parts}."
    for why, count in refused.most_common(MOST_NAMED):
        yield messages.ERROR, f"{count} refused: {why}"


def _became(action: Action) -> str:
    match action.status:
        case Status.PENDING:
            return "put before people anew"
        case _:
            return Status(action.status).label.lower()


def _refused(request: HttpRequest) -> HttpResponse | None:
    """Refuse whoever may not, and whatever is no click on the button."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not access.may_open(request):
        raise PermissionDenied
    if not may_judge_again(access.person(request)):
        raise PermissionDenied
    return None


def _is_confirmed(request: HttpRequest) -> bool:
    if request.POST.get("confirmed"):
        return True
    messages.error(request, "Confirm that approvals given so far will not count.")
    return False
