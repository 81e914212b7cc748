"""What would these rules do? Pages on which rules are tried. None of them changes one.

A rule's form is posted here with what is not saved yet. It is checked as if it were
saved; the draft is the rules in force with that rule.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from governance.console import ReadOnly
from policies import bodies, drafts, findings, history
from policies.admin.visits import Visit, sees_actions
from policies.models import Backtest

PAGE = "admin:policies_backtest_changelist"
REPORT = "admin:policies_backtest_change"


def may_try(request: HttpRequest) -> bool:
    """Whether this person may see the policies, and so what they would do."""
    # Also asked on the page on which people log in.
    has_perm = request.user.has_perm
    return has_perm("policies.view_policy") or has_perm("policies.change_policy")


def may_start(request: HttpRequest) -> bool:
    """Whether this person may have the workers replay: auditors only look."""
    return request.user.has_perm("policies.change_policy")


@admin.register(Backtest)
class BacktestAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    """Rules are tried here: on one sample, and on what really happened."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_try(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may_try(request)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.try_page), name="policies_backtest_changelist"),
            path(
                "<int:pk>/change/", wrap(self.report), name="policies_backtest_change"
            ),
            path(
                "<int:pk>/progress/",
                wrap(self.progress),
                name="policies_backtest_progress",
            ),
        ]

    def try_page(self, request: HttpRequest) -> HttpResponse:
        _check(request)
        visit = Visit(request)
        if request.method == "POST" and "start" in request.POST:
            if not may_start(request):
                raise PermissionDenied
            started = visit.start()
            if started:
                return redirect(REPORT, started.pk)
        context = {"may_start": may_start(request), **visit.context()}
        return self._page(request, "try.html", "Try rules", **context)

    def report(self, request: HttpRequest, pk: int) -> HttpResponse:
        _check(request)
        backtest = get_object_or_404(Backtest.objects.select_related("asked_by"), pk=pk)
        title = f"The last {backtest.days} days"
        return self._page(
            request,
            "backtest.html",
            title,
            changes=_changes_of(backtest),
            **_report(request, backtest),
        )

    def progress(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return what the page asks for every second while workers are at it."""
        _check(request)
        backtest = get_object_or_404(Backtest, pk=pk)
        template = "admin/policies/progress.html"
        return TemplateResponse(request, template, _report(request, backtest))

    def _page(
        self, request: HttpRequest, template: str, title: str, **context: Any
    ) -> TemplateResponse:
        shared = self.admin_site.each_context(request)
        context = {**shared, "title": title, "opts": self.opts, **context}
        return TemplateResponse(request, f"admin/policies/{template}", context)


def _changes_of(backtest: Backtest) -> list[list[str]]:
    """Return what was tried, in words, on the rules of that moment."""
    revision = backtest.revision
    state = history.rules_at(revision) if revision else bodies.empty()
    return [each.lines for each in drafts.recalled(backtest.draft, state).changes]


def _report(request: HttpRequest, backtest: Backtest) -> dict[str, Any]:
    data = backtest.report or findings.empty()
    return {
        "backtest": backtest,
        "data": data,
        "changed": data["looked_at"] - data["same"],
        "moves": findings.movements(data),
        "money": findings.money(data),
        "reviews": findings.reviews(data, backtest.days),
        "latest": data["latest"] if sees_actions(request) else [],
        "may_see_actions": sees_actions(request),
    }


def _check(request: HttpRequest) -> None:
    if not may_try(request):
        raise PermissionDenied
