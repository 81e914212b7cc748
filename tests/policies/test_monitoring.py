"""Policies on trial: what they would have done is kept, and shown on their page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals import services as gate
from approvals.models import ApprovalRequest, Vote
from approvals.services import Proposal
from governance import clock
from governance.models import Action, Agent, User
from policies import monitoring, services
from policies.bodies import Subject
from policies.models import MonitorMatch, Policy
from tests.approvals.factories import browser
from tests.policies.making import asking, flow, policy

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _rules(managers: Group) -> None:
    services.save(Subject.FLOW, flow(groups=["customer-service-managers"]))
    services.save(Subject.POLICY, policy("any", when=""))
    services.save(
        Subject.POLICY,
        asking("trial", when="params.amount > 50", mode="monitor"),
    )


def submit(agent: Agent, **params: object) -> Action:
    return gate.submit(agent, Proposal("refund.create", dict(params)))[0].action


def trial() -> monitoring.Trial:
    found = monitoring.trial(Policy.objects.get(name="trial"), clock.now())
    assert found
    return found


def test_what_it_would_have_done_is_kept_and_nothing_else_changes(
    agent: Agent,
) -> None:
    small, large = submit(agent, amount=20), submit(agent, amount=75)

    assert [small.status, large.status] == ["allowed", "allowed"]
    (match,) = MonitorMatch.objects.all()
    assert (match.action, match.version, match.differs) == (large, 1, True)


def test_what_it_could_not_evaluate_is_kept_with_the_reason(agent: Agent) -> None:
    submit(agent)

    (match,) = MonitorMatch.objects.all()
    assert match.problem == "params.amount is missing"


def test_what_it_would_not_have_changed_is_told_apart(agent: Agent) -> None:
    services.save(Subject.POLICY, policy("never", decision="BLOCK"))

    assert submit(agent, amount=75).status == "blocked"
    assert not MonitorMatch.objects.get().differs


def test_a_revision_counts_as_well(agent: Agent, alice: User) -> None:
    services.save(Subject.POLICY, asking("always"))
    course, _ = gate.submit(agent, Proposal("refund.create", {"amount": 75}))
    request = ApprovalRequest.objects.get()
    gate.decide(
        request, alice, Vote.Verdict.REQUEST_CHANGES, digest=request.digest, comment="?"
    )

    gate.revise(course.action.pk, agent, {"params": {"amount": 60}})

    assert list(MonitorMatch.objects.values_list("revision", flat=True)) == [2, 1]


def test_a_submission_that_is_rolled_back_leaves_no_match(agent: Agent) -> None:
    proposal = Proposal("refund.create", {"amount": 75})
    gate.submit(agent, proposal, idempotency_key="a")
    gate.submit(agent, proposal, idempotency_key="a")

    assert MonitorMatch.objects.count() == 1


def test_the_trial_counts_since_it_began(agent: Agent) -> None:
    for amount in (20, 60, 70):
        submit(agent, amount=amount)
    with clock.shifted(timedelta(days=1)):
        submit(agent, amount=80)
        found = trial()

    assert (found.matched, found.changed) == (3, 3)
    assert [(day.matched, day.share) for day in found.days][:2] == [(1, 50), (2, 100)]
    assert len(found.latest) == 3


def test_other_words_go_on_with_it_another_condition_begins_anew(
    agent: Agent,
) -> None:
    submit(agent, amount=75)
    body = asking("trial", when="params.amount > 50", mode="monitor")
    services.save(Subject.POLICY, {**body, "reason": "Large."})
    submit(agent, amount=75)
    assert trial().matched == 2

    services.save(Subject.POLICY, {**body, "when": "params.amount > 60"})
    submit(agent, amount=75)
    assert trial().matched == 1


def test_an_enforced_policy_is_not_on_trial() -> None:
    assert monitoring.trial(Policy.objects.get(name="any"), clock.now()) is None


def test_its_page_shows_it_in_as_many_queries_for_ten_as_for_one(
    agent: Agent, alice: User
) -> None:
    names = ["view_policy", "change_policy"]
    alice.user_permissions.add(*Permission.objects.filter(codename__in=names))
    page = f"/admin/policies/policy/{Policy.objects.get(name='trial').pk}/change/"
    visitor = browser(alice)
    submit(agent, amount=75)
    visitor.get(page)
    with CaptureQueriesContext(connection) as one:
        visitor.get(page)
    for amount in range(60, 69):
        submit(agent, amount=amount)
    with CaptureQueriesContext(connection) as ten:
        shown = visitor.get(page).content.decode()

    assert "On trial" in shown
    assert len(ten) == len(one)
