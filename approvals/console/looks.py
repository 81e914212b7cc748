"""Who has this request open at this moment? Pages say so while they are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import Count, F, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, render

from approvals.console import access, words
from approvals.models import ApprovalRequest, Look
from approvals.services.attention import CLAIM
from governance import clock
from governance.models import User

# A page says so every 20 seconds: two may be missed.
PRESENT = timedelta(seconds=45)
FORGOTTEN = timedelta(hours=1)
_NAME = ("username", "first_name", "last_name")


def look(request: HttpRequest, object_id: UUID) -> HttpResponse:
    """Note that this person has it open, and answer with who else has.

    With ``left`` in the form, that they have it open no longer.
    """
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    if not access.may_open(request):
        raise PermissionDenied
    person, at = access.person(request), clock.now()
    visible = ApprovalRequest.objects.visible_to(person)
    approval = get_object_or_404(visible, pk=object_id)
    if "left" in request.POST:
        Look.objects.filter(request=approval, person=person).delete()
        return HttpResponse(status=204)
    _note(approval, person, at)
    looking = others([approval], person, at).get(approval.pk, "")
    return render(request, "approvals/console/looking.html", {"looking": looking})


def _note(approval: ApprovalRequest, person: User, at: datetime) -> None:
    """Write it in one statement, so that two pages of one person do not collide."""
    Look.objects.filter(seen_at__lt=at - FORGOTTEN).delete()
    Look.objects.bulk_create(
        [Look(request=approval, person=person, seen_at=at)],
        update_conflicts=True,
        unique_fields=["request", "person"],
        update_fields=["seen_at"],
    )


def others(
    requests: Iterable[ApprovalRequest], person: User, at: datetime
) -> dict[UUID, str]:
    """Say of each request who is looking at it, by its key, in one query.

    Those who said so count, and those whose page is open; of the person who asks,
    only what they said.
    """
    keys = [request.pk for request in requests]
    open_now = _present(at).filter(request__in=keys, request__closed_at=None)
    claimed = ApprovalRequest.objects.open().filter(
        pk__in=keys, claimed_at__gt=at - CLAIM
    )
    found: dict[UUID, list[str]] = defaultdict(list)
    names = _named(claimed, "pk", "claimed_by").union(
        _named(open_now.exclude(person=person), "request_id", "person")
    )
    for pk, who, *name in names:
        found[pk].append("You" if who == person.pk else _full(*name))
    return {pk: _said(sorted(who)) for pk, who in found.items()}


def _present(at: datetime) -> QuerySet[Look]:
    return Look.objects.filter(seen_at__gt=at - PRESENT)


def _named(rows: QuerySet[ApprovalRequest] | QuerySet[Look], pk: str, who: str):  # type: ignore[no-untyped-def]
    name = (F(f"{who}__{part}") for part in _NAME)
    return rows.order_by().values_list(F(pk), F(f"{who}_id"), *name)


def _full(username: str, first: str, last: str) -> str:
    return str(User(username=username, first_name=first, last_name=last))


def _said(names: list[str]) -> str:
    verb = "is" if len(names) == 1 and names != ["You"] else "are"
    return f"{words.listed(names)} {verb} looking at it"


def mark(at: datetime) -> str:
    """Return what differs as soon as somebody comes or goes."""
    found = _present(at).aggregate(Count("pk"), Sum("pk"))
    return f"{found['pk__count']}-{found['pk__sum'] or 0}"
