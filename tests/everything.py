"""One of everything the console can show, and the address of every page about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.test import override_settings
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from approvals import services as approvals
from approvals.models import ApprovalRequest, PresetReason, SavedView
from governance import clock, freezes, roles, services
from governance.models import Agent, AgentKey, User
from notifications import jobs
from notifications.models import Phrase, Place, Rota, Rule, SlackAccount, Webhook
from notifications.webhooks import signing
from notifications.webhooks.messages import trial
from policies import backtests, drafts
from policies import services as rules
from policies.bodies import Subject
from tests.approvals.factories import make_request
from tests.cast import REFUND, make_user
from tests.pages import permit

WHY = "The queue is down and a hospital waits for its refund."
HOUR = timedelta(hours=1)
RULES: list[tuple[Subject, dict[str, Any]]] = [
    (
        Subject.CALENDAR,
        {"name": "office", "days": ["mon", "fri"], "hours": ["09:00-17:00"]},
    ),
    (Subject.RESOURCE, {"type": "order", "id": "gold-*", "sensitivity": 30}),
    (
        Subject.RISK_FACTOR,
        {"name": "large", "actions": ["refund.*"], "when": "params.amount > 500"}
        | {"points": 40},
    ),
    (
        Subject.LOOKBACK,
        {"name": "spent", "actions": ["refund.create"], "window": "30d"}
        | {"key": "params.customer_id"},
    ),
    (
        Subject.TEST,
        {"name": "small", "action": "refund.create", "params": REFUND | {"amount": 5}}
        | {"expect": "ALLOW"},
    ),
]


def make_everything(agent: Agent, alice: User, bob: User) -> None:
    """Fill an installation that has the refund rules with one row of each kind."""
    roles.make()
    Group.objects.create(name="spare")
    make_user("finn", Group.objects.get(name="finance"))
    services.issue_key(agent)
    for subject, body in RULES:
        rules.save(subject, body)
    rules.save(Subject.DEFAULT, {"decision": "BLOCK", "flow": None})
    with override_settings(POLICY_FOUR_EYES=True):
        body = {"name": "office", "days": ["mon"], "hours": ["09:00-17:00"]}
        rules.save(Subject.CALENDAR, body, author=alice)
    backtests.start(drafts.of(drafts.live), 7, asked_by=alice, amount="params.amount")
    make_request(agent)
    make_request(agent, customer_id="C-8", order_id="A-1002")
    _let_one_through(agent)
    end = clock.now() + HOUR
    approvals.delegate(alice, bob, ends_at=end, author=alice)
    freezes.freeze("mail.*", reason="The list is wrong.", author=None)
    PresetReason.objects.create(verdict="reject", text="Ask for a photo first.")
    SavedView.objects.create(person=alice, name="Large", query="risk=high")
    SlackAccount.objects.create(person=alice, team="T1", user="U1", linked_at=end)
    _give_a_webhook(agent)
    _say_who_hears(alice)
    jobs.publish_events()


def _give_a_webhook(agent: Agent) -> None:
    at, secret = clock.now(), signing.sealed(signing.new_secret())
    url = "https://agent.example.com/hook"
    webhook = Webhook.objects.create(agent=agent, url=url, secret=secret, created_at=at)
    message = trial(webhook, at)
    message.state, message.error = "failed", "The receiver answered 500."
    message.save()


def _say_who_hears(person: User) -> None:
    group = Group.objects.get(name="customer-service-managers")
    Place.objects.create(title="Desk", channel="email", address="desk@example.com")
    Rule.objects.create(title="Nights", channels=["email"])
    Phrase.objects.create(topic="asked", title="{summary}")
    rota = Rota.objects.create(group=group, starts_at=clock.now())
    rota.turns.create(person=person, position=1)


def _let_one_through(agent: Agent) -> None:
    dora = make_user("dora")
    permit(dora, "approvals.break_glass", "approvals.view_all_approvalrequest")
    approvals.break_glass(dora, pattern="refund.*", reason=WHY, for_=HOUR)
    asked = make_request(agent, customer_id="C-9")
    action = asked.action
    approvals.consume(action.pk, action.agent, action.digest)


@dataclass(frozen=True, slots=True)
class Page:
    """One address of the console, with its gaps still open."""

    name: str
    gaps: tuple[str, ...]
    namespace: str = "admin:"

    def url(self) -> str:
        """Return it about what ``make_everything`` has made."""
        return reverse(f"{self.namespace}{self.name}", kwargs=self._filled())

    def amiss(self, text: str) -> Iterator[str]:
        """Yield it with something odd in one gap after the other, if they take it."""
        for gap in self.gaps if self.name != "app_list" else ():
            with suppress(NoReverseMatch):
                filled = {**self._filled(), gap: text}
                yield reverse(f"{self.namespace}{self.name}", kwargs=filled)

    def _filled(self) -> dict[str, Any]:
        return {gap: _found(self, gap) for gap in self.gaps}


def pages() -> list[Page]:
    """Return every page of the console, found by walking the addresses."""
    found = _below("/", "", get_resolver().url_patterns)
    return sorted(set(found), key=lambda page: page.name)


def _below(
    prefix: str, namespace: str, patterns: list[URLPattern | URLResolver]
) -> Iterator[Page]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{pattern.namespace}:" if pattern.namespace else namespace
            yield from _below(path, inner, pattern.url_patterns)
        elif pattern.name and path.startswith("/admin/"):
            gaps = pattern.pattern.regex.groupindex or pattern.pattern.converters
            yield Page(pattern.name, tuple(gaps), namespace)


# What stands in the gaps, where it is not the key of the page's own model.
GAPS: dict[str, Any] = {
    "app_label": lambda: "governance",
    "number": lambda: 1,
    "view": lambda: _first(SavedView),
    "key_id": lambda: _first(AgentKey),
    "action_id": lambda: waiting().action_id,
    "content_type_id": lambda: ContentType.objects.get_for_model(Agent).pk,
    "id": lambda: User.objects.get(username="alice").pk,
}
# Rows that say more than the first one.
ROWS: dict[str, Any] = {
    "approvalrequest": lambda: waiting().pk,
    "user": lambda: User.objects.get(username="alice").pk,
    "group": lambda: Group.objects.get(name="spare").pk,
    "ruleset": lambda: 1,
    "story": lambda: waiting().action_id,
}


def _found(page: Page, gap: str) -> Any:
    if gap in GAPS:
        return GAPS[gap]()
    if page.name == "view_on_site":
        return _first(Agent)
    if page.name == "approvals_breakglass_release":
        return waiting().pk
    model = page.name.split("_")[1]
    if model in ROWS:
        return ROWS[model]()
    return _first(_model(model))


def _model(name: str) -> type[Model]:
    kinds = ContentType.objects.filter(model=name)
    ours = kinds.exclude(app_label__in=["django_q", "admin", "axes", "guardian"])
    found = ours.get().model_class()
    assert found
    return found


def _first(model: type[Model]) -> Any:
    row = model._default_manager.order_by("pk").first()
    assert row, model
    return row.pk


def waiting() -> ApprovalRequest:
    return ApprovalRequest.objects.filter(closed_at=None).earliest("pk")
