"""After break-glass: what ran without approval, and was that right?"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from approvals import services
from approvals.console import access, facts
from approvals.models import ApprovalRequest, BypassReview
from approvals.services.bypasses import objection
from governance.console import ReadOnly, person
from governance.errors import Refused
from governance.models import User

LIST = "admin:approvals_bypassreview_changelist"
PER_PAGE = 50
OPEN_FIRST = (F("reviewed_at").desc(nulls_first=True), "-pk")


def visible_to(user: User) -> QuerySet[BypassReview]:
    """Return the reviews of requests this person may look at."""
    requests = ApprovalRequest.objects.visible_to(user)
    return BypassReview.objects.filter(request__in=requests.values("pk"))


def waiting_for(user: User) -> QuerySet[BypassReview]:
    """Return the open reviews that this person may give."""
    open_ones = BypassReview.objects.filter(verdict="").filter(
        request__asked__in=user.groups.all()
    )
    own = Q(request__broken_glass__person=user) | Q(request__action__agent__owner=user)
    return open_ones.exclude(own).distinct()


@admin.register(BypassReview)
class BypassReviewAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """A list to work off, and a page for each where somebody says what they think."""

    def has_view_permission(
        self, request: HttpRequest, obj: BypassReview | None = None
    ) -> bool:
        return access.may_open(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return access.may_open(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[BypassReview]:
        return visible_to(person(request)).select_related(
            "request__action__agent__owner",
            "request__broken_glass__person",
            "reviewed_by",
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_queryset(request).order_by(*OPEN_FIRST)
        page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
        return self._answer(request, "bypasses.html", "After break-glass", page=page)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        review: BypassReview | None = self.get_object(request, object_id)
        if review is None:
            raise Http404
        if request.method == "POST":
            return self._review(request, review)
        return self._page(request, review)

    def _review(self, request: HttpRequest, review: BypassReview) -> HttpResponse:
        said = request.POST.get("verdict", "")
        comment = request.POST.get("comment", "")
        if said not in BypassReview.Verdict.values:
            self.message_user(request, "Say whether it was justified.", messages.ERROR)
            return self._page(request, review, comment, 422)
        try:
            services.review_bypass(
                review, person(request), BypassReview.Verdict(said), comment
            )
        except Refused as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return self._page(request, review, comment, refusal.status)
        self.message_user(request, f"Your review is on record: {review}")
        return redirect(LIST)

    def _page(
        self,
        request: HttpRequest,
        review: BypassReview,
        comment: str = "",
        status: int = 200,
    ) -> TemplateResponse:
        asked = review.request
        return self._answer(
            request,
            "bypass.html",
            "After break-glass",
            status,
            review=review,
            glass=asked.broken_glass,
            facts=list(facts.flatten(asked.params)) if asked.params else [],
            groups=list(asked.asked.values_list("name", flat=True)),
            objection=objection(review, person(request)),
            comment=comment,
        )

    def _answer(
        self,
        request: HttpRequest,
        template: str,
        title: str,
        status: int = 200,
        **context: Any,
    ) -> TemplateResponse:
        return TemplateResponse(
            request,
            f"approvals/console/{template}",
            {
                **self.admin_site.each_context(request),
                "title": title,
                "opts": self.opts,
                "media": self.media,
                **context,
            },
            status=status,
        )
