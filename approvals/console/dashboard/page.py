"""The dashboard's pages: figures for whoever may open the console, and nothing to change.

Who may view every request sees figures of all of them; everybody else those of what
their own groups were asked about.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from approvals.console import access
from approvals.console.dashboard import vigilance
from approvals.console.dashboard.board import Board
from approvals.console.dashboard.budgets import told
from approvals.console.dashboard.links import Links
from approvals.figures import keeping
from approvals.figures.counts import by, total
from approvals.figures.periods import PERIODS, Period, period_of, today
from approvals.figures.present import present
from approvals.figures.selecting import EVERYTHING
from approvals.models import ApprovalRequest
from governance import clock
from governance.models import Agent, User

PERIOD_PARAM = "period"
LOOKBACKS = "policies.view_lookback"


def dashboard(request: HttpRequest) -> TemplateResponse:
    """Answer the page. It reads, and counts what is not counted yet; it writes nothing."""
    if not access.may_open(request):
        raise PermissionDenied
    user, at = access.person(request), clock.now()
    period = period_of(request.GET.get(PERIOD_PARAM))
    scope, slots = access.scope_of(user), period.slots(at)
    links = Links(user, narrow=scope != EVERYTHING)
    board = Board(scope, slots, keeping.counts_of(scope, slots, at), links)
    context = {
        **admin.site.each_context(request),
        "title": "Dashboard",
        "board": board,
        "links": links,
        "now": present(scope, at),
        "today": f"{today(at)}..{today(at)}",
        "periods": _periods(period),
        "period": period,
        "bars": _bars(board),
        "groups": list(user.groups.values_list("name", flat=True)),
        "budgets": user.has_perm(LOOKBACKS),
        "vigilance": _vigilance(user, board, at),
    }
    context["is_empty"] = not (board.answers or context["now"].open)
    context["was_asked"] = context["is_empty"] and ApprovalRequest.objects.exists()
    return TemplateResponse(request, "approvals/console/dashboard.html", context)


def _periods(chosen: Period) -> list[dict[str, Any]]:
    return [
        {
            "title": each.title,
            "link": f"{reverse('dashboard')}?{PERIOD_PARAM}={each.name}",
            "active": each is chosen,
        }
        for each in PERIODS
    ]


def _bars(board: Board) -> list[Any]:
    counts = board.total
    agents = Agent.objects.in_bulk(by(counts.agents, 0))
    people = User.objects.in_bulk(by(counts.people, 0))
    return [board.policies(), board.agents(agents), board.people(people)]


def _vigilance(user: User, board: Board, at: datetime) -> vigilance.Team | None:
    """Count all of a person's decisions, also those for groups the reader is not in."""
    if not vigilance.may_see(user):
        return None
    counts = board.total
    if board.scope != EVERYTHING:
        counts = total(keeping.counts_of(EVERYTHING, board.slots, at))
    people = vigilance.led_by(user)
    return vigilance.team(people, counts, board.whole, Links(user))


def budgets(request: HttpRequest) -> TemplateResponse:
    """Answer the use of budgets, which the dashboard asks for once it is shown."""
    user = access.person(request)
    if not (access.may_open(request) and user.has_perm(LOOKBACKS)):
        raise PermissionDenied
    context = {"budgets": list(told(clock.now()))}
    return TemplateResponse(
        request, "approvals/console/dashboard_budgets.html", context
    )
