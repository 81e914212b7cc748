"""Histories to replay: random ones, as agents and people make them."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from approvals import jobs
from approvals import services as gate
from approvals.models import ApprovalRequest, Vote
from approvals.services import Proposal
from governance import clock
from governance.models import Agent, Status, User
from policies import services
from policies.bodies import Body, Subject
from tests.policies.making import asking, flow, lookback, policy

CANCELLABLE = (Status.ALLOWED, Status.PENDING)


def load_rules() -> None:
    """Rules whose verdicts depend on what went before, in every way there is."""
    services.save(Subject.FLOW, flow(groups=["customer-service-managers"]))
    for body in (
        lookback(sum="params.amount", window="5d"),
        lookback("cards", key="", window="2d", distinct="params.card"),
        lookback("budget", key="", window="day", sum="params.amount", decision="ALLOW"),
    ):
        services.save(Subject.LOOKBACK, body)
    for rule in (
        policy("any"),
        asking("often", when="history.customer_refunds.count >= 2"),
        asking("much", when="history.customer_refunds.sum + params.amount > 120.0"),
        asking("spent", when="history.budget.sum + params.amount > 150.0"),
        policy("cards", decision="BLOCK", when="history.cards.distinct > 3"),
    ):
        services.save(Subject.POLICY, rule)


def draft() -> Body:
    """The budget is smaller."""
    return asking("spent", when="history.budget.sum + params.amount > 60.0")


def live_through(agent: Agent, person: User, seed: int, actions: int) -> None:
    """Let an agent ask this often over some days, and people do as they please."""
    random = Random(seed)
    age = timedelta(days=12)
    for _ in range(actions):
        age -= timedelta(minutes=random.choice([1, 30, 200, 700]))
        with clock.shifted(-max(age, timedelta(0))):
            jobs.settle_due()
            _ask(agent, person, random)


def _ask(agent: Agent, person: User, random: Random) -> None:
    params = {
        "customer_id": random.choice("abc"),
        "amount": random.choice([10, 19.99, 60]),
    }
    if random.random() < 0.9:
        params["card"] = random.choice("1234")
    action = gate.submit(agent, Proposal("refund.create", params))[0].action
    fate = random.random()
    if fate < 0.2 and action.status in CANCELLABLE:
        gate.cancel(action.pk, agent)
    elif fate < 0.5 and action.status == Status.PENDING:
        request = ApprovalRequest.objects.get(action=action)
        verdict = Vote.Verdict.REJECT if fate < 0.35 else Vote.Verdict.APPROVE
        gate.decide(request, person, verdict, digest=request.digest, comment="No.")
