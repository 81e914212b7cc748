"""How is the story of an action handed over? A page to print, for who may see it all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from approvals import services
from approvals.console import access
from approvals.console.dossier import Dossier
from approvals.models import ApprovalRequest
from governance import clock
from governance.models import Action, User

VIEW = ("governance.view_action", "governance.view_event")


def address(model_admin: ModelAdmin[Any]) -> URLPattern:
    """Return where the page is. Whoever is asked about an action finds it there, too."""
    return path(
        "story/<uuid:pk>/",
        model_admin.admin_site.admin_view(require_safe(story)),
        name="approvals_story",
    )


def story(request: HttpRequest, pk: UUID) -> TemplateResponse:
    """Show everything on record about one action, on paper's terms."""
    person = access.person(request)
    action = Action.objects.filter(pk=pk).first()
    if action is None and person.has_perms(VIEW):
        raise Http404
    if action is None or not may_read(person, action):
        raise PermissionDenied
    if request.method == "GET":
        services.print_story(action, person)
    return TemplateResponse(
        request,
        "approvals/console/dossier.html",
        {
            "dossier": Dossier(action, clock.now()),
            "person": person,
            "installation": settings.UNFOLD["SITE_HEADER"],
            "address": settings.PUBLIC_URL,
        },
    )


def may_read(person: User, action: Action) -> bool:
    """Whether the record is open to them, or they may look at what people were asked."""
    if person.has_perms(VIEW):
        return True
    return ApprovalRequest.objects.visible_to(person).filter(action=action).exists()
