"""Why was it judged so? The page that says it, for every action there is."""

from __future__ import annotations

from uuid import UUID

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from governance.console import person
from governance.models import Action
from policies import evaluations
from policies.models import Policy

VIEW = "governance.view_action"


def address(model_admin: ModelAdmin[Policy]) -> URLPattern:
    """Return where the page is. It belongs to the pages of the policies."""

    def view(request: HttpRequest, action_id: UUID) -> TemplateResponse:
        return explain(model_admin, request, action_id)

    return path(
        "explain/<uuid:action_id>/",
        model_admin.admin_site.admin_view(view),
        name="policies_explain",
    )


def explain(
    model_admin: ModelAdmin[Policy], request: HttpRequest, action_id: UUID
) -> TemplateResponse:
    """Show each evaluation of an action, the latest first."""
    if not person(request).has_perm(VIEW):
        raise PermissionDenied
    action = Action.objects.select_related("agent").filter(pk=action_id).first()
    if action is None:
        raise Http404
    found = sorted(evaluations.of(action), key=lambda each: -each.revision)
    return TemplateResponse(
        request,
        "admin/policies/explain.html",
        {
            **model_admin.admin_site.each_context(request),
            "title": "Why it was judged so",
            "opts": model_admin.opts,
            "action": action,
            "evaluations": found,
        },
    )
