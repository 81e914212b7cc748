"""Where does the console take people? The sidebar, and the page they land on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse

from approvals.console import access, bypasses, counting, drifting
from approvals.console import queue as inbox
from approvals.figures.periods import midnight, today
from approvals.models import ApprovalRequest
from config import first_steps
from governance import clock
from governance.console import person
from governance.ledger import Kind
from governance.models import Event, User
from notifications import badges
from notifications.models import SLACK
from notifications.routing.addresses import is_set_up

QUEUE = "approvals_approvalrequest"
DELEGATIONS = "approvals_delegation"
SLACK_ACCOUNTS = "notifications_slackaccount"
# Title, icon, the model whose list it is. A person sees what they may view.
PLACES: list[tuple[str, list[tuple[str, str, str]]]] = [
    (
        "Agents",
        [
            ("Agents", "smart_toy", "governance_agent"),
            ("Webhooks", "webhook", "notifications_webhook"),
            ("Actions", "bolt", "governance_action"),
            ("Audit log", "history", "governance_event"),
            ("Deliveries", "outgoing_mail", "notifications_delivery"),
        ],
    ),
    (
        "Rules",
        [
            ("Policies", "rule", "policies_policy"),
            ("Flows", "account_tree", "policies_flow"),
            ("Calendars", "calendar_month", "policies_calendar"),
            ("Default", "shield", "policies_ruleset"),
            ("Lookbacks", "manage_search", "policies_lookback"),
            ("Risk factors", "speed", "policies_riskfactor"),
            ("Action types", "category", "governance_actiontype"),
            ("Resources", "inventory_2", "governance_resource"),
            ("Preset reasons", "quickreply", "approvals_presetreason"),
            ("Tests", "checklist", "policies_policytest"),
            ("Try rules", "science", "policies_backtest"),
            ("Proposed changes", "rule_settings", "policies_proposedchange"),
            ("History", "history_edu", "policies_revision"),
        ],
    ),
    (
        "Access",
        [
            ("People", "person", "governance_user"),
            ("Groups", "group", "auth_group"),
        ],
    ),
    (
        "Messages",
        [
            ("Channels", "forum", "notifications_place"),
            ("Routing rules", "alt_route", "notifications_rule"),
            ("Wordings", "edit_note", "notifications_phrase"),
            ("Rotas", "event_repeat", "notifications_rota"),
        ],
    ),
    (
        "Emergency",
        [
            ("Stop buttons", "front_hand", "governance_freeze"),
            ("Break-glass", "emergency_home", "approvals_breakglass"),
            ("After break-glass", "fact_check", "approvals_bypassreview"),
        ],
    ),
]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar: the queue, with what waits, and each list one may see."""
    user = request.user
    if not isinstance(user, User):
        return []
    queue = _item("Approvals", "inbox", QUEUE, access.may_open(request))
    queue["badge"] = inbox.badge(request) if queue["has_permission"] else ""
    home = {"title": "Overview", "icon": "home", "link": reverse("admin:index")}
    concerned = access.may_open(request)
    dashboard = {
        "title": "Dashboard",
        "icon": "monitoring",
        "link": reverse("dashboard"),
        "has_permission": concerned,
        "permission": lambda request: concerned,
    }
    stand_ins = _item("Stand-ins", "swap_horiz", DELEGATIONS, concerned)
    notices = {
        "title": "Notifications",
        "icon": "notifications",
        "link": reverse("admin:notifications_delivery_mine"),
        "badge": badges.unread(request),
    }
    items = [home, queue, dashboard, notices, stand_ins]
    if is_set_up(SLACK):
        items.append(_item("Slack", "forum", SLACK_ACCOUNTS, True))
    return [
        {"items": items},
        *(
            {
                "title": title,
                "separator": True,
                "items": [
                    item
                    for name, icon, model in places
                    if (item := _item(name, icon, model, _may_view(request, model)))
                ],
            }
            for title, places in PLACES
        ),
    ]


def _item(title: str, icon: str, model: str, allowed: bool) -> dict[str, Any]:
    link = reverse(f"admin:{model}_changelist")
    return {
        "title": title,
        "icon": icon,
        "link": link,
        # What is one's own stands below the list of everybody's.
        "active": lambda request: (
            request.path.startswith(link)
            and not request.path.startswith(f"{link}mine/")
        ),
        "has_permission": allowed,
        "permission": lambda request: allowed,
    }


def _may_view(request: HttpRequest, model: str) -> bool:
    """Ask the page itself: some are there for more people than the permission names."""
    page = admin.site.get_model_admin(apps.get_model(model.replace("_", ".")))
    return page.has_view_permission(request)


def overview(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Fill the landing page: what waits for this person first, then today's figures."""
    user = person(request)
    if access.may_open(request):
        mine = ApprovalRequest.objects.waiting_for(user).select_related("action__agent")
        context["waiting"] = mine.order_by("action__deadline_at", "pk")[:5]
        context["queue"] = reverse(f"admin:{QUEUE}_changelist")
        context["drift"] = drifting.notice(request)
    context["steps"] = first_steps.steps(user)
    context["left"] = sum(not step.done for step in context["steps"])
    context["figures"] = list(_figures(request, user, context.get("queue", "")))
    return context


def _figures(request: HttpRequest, user: User, queue: str) -> Any:
    now = clock.now()
    if queue:
        mine = counting.shown(inbox.waiting(request)) or 0
        yield _figure("Waiting for you", mine, queue)
        visible = ApprovalRequest.objects.visible_to(user)
        yield _figure("Overdue", visible.late(now).count(), f"{queue}?show=overdue")
        if to_review := bypasses.waiting_for(user).count():
            after = reverse("admin:approvals_bypassreview_changelist")
            yield _figure("To review after break-glass", to_review, after)
    log = f"{reverse('admin:governance_event_changelist')}?at_from={today(now)}"
    everything = user.has_perm("governance.view_event")
    steps = _today(now, None if everything else user)
    if everything:
        said = f"{log}&kind=voted&who=person"
        yield _figure("Decided today", steps.get(Kind.VOTED, 0), said)
        allowed = steps.get(Kind.ALLOWED, 0)
        yield _figure("Allowed today by policy", allowed, f"{log}&kind=allowed")
        blocked = steps.get(Kind.BLOCKED, 0)
        yield _figure("Blocked today by policy", blocked, f"{log}&kind=blocked")
    elif queue:
        decided = f"{queue}?show=decided&voted={today(now)}"
        yield _figure("Decided by you today", steps.get(Kind.VOTED, 0), decided)


def _figure(title: str, value: int | str, link: str) -> dict[str, Any]:
    return {"title": title, "value": value, "link": link}


def _today(now: datetime, only: User | None) -> dict[str, int]:
    """Count today's steps on the record, by kind. Today is the console's."""
    kinds = (Kind.VOTED, Kind.ALLOWED, Kind.BLOCKED)
    since = midnight(today(now))
    events = Event.objects.filter(at__gte=since, kind__in=kinds).order_by()
    # Silence votes as well, and is nobody.
    events = events.exclude(kind=Kind.VOTED, actor_kind="system")
    if only:
        events = events.filter(actor_kind="person", actor_id=str(only.pk))
    return dict(events.values_list("kind").annotate(Count("pk")))
