"""The pages on which rules are tried: nothing there changes a rule."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.models import Agent, User
from policies import jobs, services, slices
from policies.bodies import Subject
from policies.models import Backtest, Policy, Version
from tests.approvals.factories import browser
from tests.policies.making import (
    asking,
    factor,
    flow,
    make_action,
    make_lookback,
    policy,
)

pytestmark = pytest.mark.django_db
PAGE = "/admin/policies/backtest/"
RULES = (
    "view_policy",
    "change_policy",
    "add_policy",
    "change_lookback",
    "change_riskfactor",
)


@pytest.fixture(autouse=True)
def _rules(managers: Group) -> None:
    slices.forget()
    services.save(Subject.FLOW, flow())
    make_lookback()
    services.save(Subject.POLICY, policy("small", when="params.amount < 50"))
    services.save(Subject.POLICY, asking("large", when="params.amount >= 50"))


def visitor(person: User, *permissions: str) -> Client:
    found = Permission.objects.filter(codename__in=permissions)
    person.user_permissions.add(*found)
    return browser(person)


def form(name: str = "small", **fields: Any) -> dict[str, Any]:
    """What the page of a policy sends when somebody presses "Try it"."""
    row = Policy.objects.get(name=name)
    values = {
        "actions": ", ".join(row.actions),
        "when": row.when,
        "decision": row.decision,
        "flow": row.flow_id or "",
        "reason": row.reason,
        "mode": row.mode,
    }
    return {"_subject": "policy", "_rule": str(row.pk), **values, **fields}


def test_without_a_draft_it_judges_the_latest_action(
    agent: Agent, charlie: User
) -> None:
    make_action(agent, amount=75)

    page = visitor(charlie, "view_policy", "view_action").get(PAGE)

    assert page.status_code == 200
    assert [side["title"] for side in page.context["sides"]] == ["Rules in force"]
    assert page.context["simulated"].live.decision == "REQUIRE_APPROVAL"


def test_a_form_that_is_not_saved_is_judged_beside_the_rules(
    agent: Agent, charlie: User
) -> None:
    make_action(agent, amount=20)
    versions = Version.objects.count()

    page = visitor(charlie, *RULES, "view_action").post(
        PAGE, form(when="params.amount < 10")
    )

    found = page.context["simulated"]
    assert (found.live.decision, found.draft.decision) == ("ALLOW", "BLOCK")
    assert "params.amount &lt; 50 → params.amount &lt; 10" in page.content.decode()
    assert Version.objects.count() == versions
    assert Policy.objects.get(name="small").when == "params.amount < 50"


def test_a_rule_that_is_on_trial_is_tried_as_enforced(
    agent: Agent, charlie: User
) -> None:
    make_action(agent, amount=20)

    page = visitor(charlie, *RULES, "view_action").post(
        PAGE, form(decision="BLOCK", mode="monitor")
    )

    assert page.context["simulated"].draft.decision == "BLOCK"


def test_what_could_not_be_saved_is_shown_at_its_field(charlie: User) -> None:
    page = visitor(charlie, *RULES).post(PAGE, form(when="params.amount <"))

    assert "when" in page.context["rule"].errors
    assert page.context["draft"] is None
    assert "does not compile" in page.content.decode()


def test_other_rules_can_be_tried_as_well(agent: Agent, charlie: User) -> None:
    services.save(Subject.RISK_FACTOR, factor(points=10))
    make_action(agent, amount=20)
    sent = {"_subject": "risk_factor", "_rule": "", "name": "new", "actions": "*",
            "when": "", "points": "30"}  # fmt: skip

    page = visitor(charlie, *RULES, "add_riskfactor", "view_action").post(PAGE, sent)

    found = page.context["simulated"]
    assert (found.live.risk, found.draft.risk) == (10, 40)


def test_a_real_action_fills_the_sample(agent: Agent, charlie: User) -> None:
    first = make_action(agent, amount=75)
    make_action(agent, amount=20)

    page = visitor(charlie, *RULES, "view_action").post(
        PAGE, form(recent=str(first.pk), **{"sample-action": "a.b"})
    )

    assert page.context["sample"].data["sample-action"] == "refund.create"
    assert page.context["simulated"].facts.params["amount"] == 75


def test_a_sample_with_a_mistake_says_so_at_its_field(charlie: User) -> None:
    page = visitor(charlie, "view_policy").post(
        PAGE, {"sample-action": "Refund!", "sample-params": "{"}
    )

    assert page.status_code == 200
    assert set(page.context["sample"].errors) == {"params"}


def test_who_may_not_see_actions_is_shown_none(agent: Agent, charlie: User) -> None:
    make_action(agent, amount=75)

    page = visitor(charlie, "view_policy").get(PAGE)

    assert not page.context["recent"]
    assert "C-7" not in page.content.decode()


@pytest.mark.parametrize("path", ["", "1/change/", "1/progress/"])
def test_who_may_not_see_policies_may_not_try_them(charlie: User, path: str) -> None:
    assert browser(charlie).get(PAGE + path).status_code == 403
    assert browser(charlie).post(PAGE + path).status_code == 403


def test_who_may_only_look_tries_no_other_rule(agent: Agent, charlie: User) -> None:
    page = visitor(charlie, "view_policy").post(PAGE, form(decision="BLOCK"))

    assert page.context["rule"] is None
    assert not page.context["draft"]


def test_a_backtest_is_worked_on_and_shown(agent: Agent, charlie: User) -> None:
    for amount in (5, 20, 75):
        make_action(agent, amount=amount, decision="ALLOW")
    client = visitor(charlie, *RULES, "view_action")
    asked = {"start": "1", "backtest-days": "3", "backtest-amount": "params.amount"}

    page = client.post(PAGE, form(when="params.amount < 10", **asked), follow=True)
    backtest = Backtest.objects.get()
    assert "Waiting for a worker" in page.content.decode()
    assert backtest.asked_by == charlie

    jobs.run_backtests()
    shown = client.get(f"{PAGE}{backtest.pk}/change/").content.decode()
    assert f"{backtest.pk}/progress" not in shown
    assert "params.amount &lt; 50 → params.amount &lt; 10" in shown
    (changed,) = Backtest.objects.get().report["latest"]
    assert changed["id"] in shown

    lines = client.get(f"{PAGE}{backtest.pk}/progress/").content.decode()
    assert lines.strip().startswith("<div")


def test_the_report_hides_actions_from_who_may_not_see_them(
    agent: Agent, charlie: User
) -> None:
    action = make_action(agent, amount=20)
    client = visitor(charlie, *RULES)
    asked = {"start": "1", "backtest-days": "3", "backtest-amount": "params.amount"}
    client.post(PAGE, form(decision="BLOCK", **asked))
    jobs.run_backtests()

    page = client.get(f"{PAGE}{Backtest.objects.get().pk}/change/").content.decode()

    assert str(action.pk) not in page
    assert "for people who may see actions" in page


@pytest.mark.parametrize(
    "asked",
    [
        {"backtest-days": "0", "backtest-amount": "params.amount"},
        {"backtest-days": "3", "backtest-amount": "amount"},
        {"backtest-days": "3", "backtest-amount": "params.amount", "when": "nothing"},
    ],
)
def test_no_backtest_begins_with_a_mistake(
    charlie: User, asked: dict[str, str]
) -> None:
    visitor(charlie, *RULES).post(PAGE, form(start="1", **asked))

    assert not Backtest.objects.exists()


def test_looking_writes_nothing(agent: Agent, charlie: User) -> None:
    make_action(agent, amount=75)
    client = visitor(charlie, *RULES, "view_action")
    client.get(PAGE)
    with CaptureQueriesContext(connection) as queries:
        client.get(PAGE)
        client.post(PAGE, form(when="params.amount < 10"))

    verbs = {query["sql"].split()[0] for query in queries}
    assert not verbs & {"INSERT", "UPDATE", "DELETE"}


def test_the_page_of_a_policy_leads_here(charlie: User) -> None:
    client = visitor(charlie, *RULES)
    row = Policy.objects.get(name="small")

    page = client.get(f"/admin/policies/policy/{row.pk}/change/").content.decode()

    assert f'formaction="{PAGE}"' in page
    with patch.object(services, "change") as change:
        client.post(PAGE, form())
    change.assert_not_called()
