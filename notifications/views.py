"""What has one person been told in the console?

Looking changes nothing. A notification is read once its person has opened the request
(the ledger says so), or has said so here.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from governance import clock
from governance.console import number
from governance.models import User
from governance.text_safety import visible_line
from notifications import announcements
from notifications.models import Delivery
from notifications.wording import explanation, headline

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Notice:
    """One line of the list."""

    delivery: Delivery
    headline: str
    matter: str
    explanation: str
    url: str

    @property
    def unread(self) -> bool:
        return self.delivery.read_at is None


@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """List the notifications of whoever is logged in, newest first."""
    person = _person(request)
    rows = Delivery.objects.in_app(person).select_related("event__action")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        **admin.site.each_context(request),
        "title": "Notifications",
        "page": page,
        "notices": [notice_of(delivery) for delivery in page],
        "newest": Delivery.objects.unread(person).order_by("-id").first(),
    }
    return TemplateResponse(request, "notifications/mine.html", context)


@require_POST
def read(request: HttpRequest) -> HttpResponseRedirect:
    """Mark as read what the page showed, and nothing that has arrived since."""
    newest = number(request.POST.get("newest", ""))
    shown = Delivery.objects.unread(_person(request)).filter(pk__lte=newest)
    shown.update(read_at=clock.now())
    return redirect("admin:notifications_delivery_mine")


def notice_of(delivery: Delivery) -> Notice:
    event = delivery.event
    if event.kind in announcements.ANNOUNCED:
        matter, address = announcements.matter(event), announcements.address(event)
        return Notice(delivery, headline(event), matter, explanation(event), address)
    request = event.data["request"]
    return Notice(
        delivery,
        headline(event),
        visible_line(event.subject),
        explanation(event),
        reverse("admin:approvals_approvalrequest_change", args=[request]),
    )


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
