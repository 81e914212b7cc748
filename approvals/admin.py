"""Where people decide. Requests can be read and decided here, and never edited."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from unfold.admin import ModelAdmin

from approvals import services
from approvals.console import (
    access,
    attention,
    bulk,
    deciding,
    drifting,
    live,
    looks,
    moves,
    printing,
    queue,
    saved,
    stamps,
    stand_ins,
)
from approvals.console.bypasses import BypassReviewAdmin
from approvals.console.forms import DecisionForm
from approvals.console.glass import BreakGlassAdmin
from approvals.console.moves import Turned
from approvals.console.presets import PresetReasonAdmin
from approvals.console.review import Review, has_just_looked
from approvals.console.stand_ins import DelegationAdmin
from approvals.models import ApprovalRequest, ApprovalRequestQuerySet
from governance import clock
from governance.console import InfinitePaginator
from governance.errors import Refused

__all__ = [
    "ApprovalRequestAdmin",
    "BreakGlassAdmin",
    "BypassReviewAdmin",
    "DelegationAdmin",
    "PresetReasonAdmin",
]

REVIEW = "admin:approvals_approvalrequest_change"
QUEUE = "admin:approvals_approvalrequest_changelist"


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ["summary"]
    list_per_page = 25
    paginator = InfinitePaginator
    search_fields = ["summary"]
    search_help_text = "Search by id, parameter or agent"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = None
    change_list_template = "approvals/console/queue.html"

    # Who may come in, and that nobody may edit

    def has_module_permission(self, request: HttpRequest) -> bool:
        return access.may_open(request)

    def has_view_permission(
        self, request: HttpRequest, obj: ApprovalRequest | None = None
    ) -> bool:
        return access.may_open(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: ApprovalRequest | None = None
    ) -> bool:
        return False

    def has_delete_permission(
        self, request: HttpRequest, obj: ApprovalRequest | None = None
    ) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "approvals_approvalrequest_rejudge"
        own = [
            path("live/", self.live_view, name="approvals_approvalrequest_live"),
            path(
                "<uuid:object_id>/look/",
                wrap(looks.look),
                name="approvals_approvalrequest_look",
            ),
            path("views/", wrap(saved.keep), name="approvals_approvalrequest_views"),
            path(
                "views/<int:view>/",
                wrap(saved.change),
                name="approvals_approvalrequest_view",
            ),
            path(
                "together/",
                wrap(bulk.several),
                name="approvals_approvalrequest_bulk",
            ),
            printing.address(self),
            path("rejudge/", wrap(drifting.judge_all_again), name=f"{name}_all"),
            path("<uuid:object_id>/rejudge/", wrap(drifting.judge_again), name=name),
            path(
                "<uuid:object_id>/moved/",
                moves.ask,
                name="approvals_approvalrequest_moved",
            ),
            *(
                path(
                    f"<uuid:object_id>/{verb}/",
                    wrap(attention.attend),
                    {"verb": verb},
                    name=f"approvals_approvalrequest_{verb}",
                )
                for verb in attention.VERBS
            ),
        ]
        return [*own, *super().get_urls()]

    # The queue

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[queue.Queue]:
        return queue.Queue

    def get_queryset(self, request: HttpRequest) -> ApprovalRequestQuerySet:
        return ApprovalRequest.objects.visible_to(access.person(request))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        context = {"title": "Approvals", **(extra_context or {})}
        if self.has_view_permission(request):
            context["absence"] = stand_ins.absence(access.person(request))
            context["on_drift"] = queue.view_of(request).name == drifting.VIEW
        page: TemplateResponse = super().changelist_view(request, context)
        return page

    @method_decorator(never_cache)
    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Not the admin's: it would send a page to log in to where rows are expected."""
        return live.ask(request, self)

    # The review page

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        approval: ApprovalRequest | None = self.get_object(request, object_id)
        if approval is None:
            missing: HttpResponse = self._get_obj_does_not_exist_redirect(
                request, self.opts, object_id
            )
            return missing
        if request.method == "POST":
            return self._decide(request, approval)
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])

        if request.method == "GET":
            self._look(request, approval)
        return self._page(request, approval)

    def _look(self, request: HttpRequest, approval: ApprovalRequest) -> None:
        """Put on record that they opened it, once for a while."""
        person = access.person(request)
        if not has_just_looked(approval, person, clock.now()):
            services.view(approval, person)

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page itself tells the whole story."""
        return redirect(REVIEW, object_id)

    def _page(
        self,
        request: HttpRequest,
        approval: ApprovalRequest,
        form: DecisionForm | None = None,
        status: int = 200,
        turned: Turned | None = None,
    ) -> TemplateResponse:
        person = access.person(request)
        review = Review(approval, person, clock.now(), turned)
        form = form or DecisionForm(approval=approval, at=review.at)
        shown = stamps.read(form["shown"].value() or "", approval, person)
        context = {
            **self.admin_site.each_context(request),
            "title": "Review",
            "opts": self.opts,
            "review": review,
            "form": form,
            "stamp": stamps.stamp(
                approval, person, shown or stamps.Shown(review.at, review.seen)
            ),
            "queue_url": QUEUE,
        }
        return TemplateResponse(
            request, "approvals/console/review.html", context, status=status
        )

    def _decide(self, request: HttpRequest, approval: ApprovalRequest) -> HttpResponse:
        """Hand the verdict to the service. What it refuses is said on the page."""
        form = DecisionForm(request.POST, approval=approval, at=clock.now())
        if not form.is_valid():
            self.message_user(request, form.problem, messages.ERROR)
            return self._page(request, approval, form, status=422)
        person, said = access.person(request), form.cleaned_data
        try:
            course = deciding.hand_over(approval, person, said)
        except Refused as refusal:
            turned = deciding.turn(approval, person, said, refusal)
            return self._turned(request, approval, form, turned)
        self.message_user(request, deciding.told(course), messages.SUCCESS)
        for warning in deciding.warnings(course, said):
            self.message_user(request, warning, messages.WARNING)
        return self._next(request)

    def _turned(
        self,
        request: HttpRequest,
        approval: ApprovalRequest,
        form: DecisionForm,
        turned: Turned,
    ) -> HttpResponse:
        """Show what has changed since the page was shown, and keep what was written.

        If another revision waits by now it is that one's page, beside what was shown.
        """
        later = moves.latest(approval, access.person(request))
        if later:
            self._look(request, later)
            form = deciding.carried_over(form, later)
        status = turned.refusal.status
        return self._page(request, later or approval, form, status, turned)

    def _next(self, request: HttpRequest) -> HttpResponse:
        waiting = ApprovalRequest.objects.waiting_for(access.person(request))
        following = waiting.order_by(*queue.MOST_URGENT).first()
        return redirect(REVIEW, following.pk) if following else redirect(QUEUE)
