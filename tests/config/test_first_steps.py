"""The overview of an empty installation leads to the first decision; empty lists help."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin

from approvals import services
from approvals.models import Vote
from config import emptiness, first_steps
from governance import services as agents
from governance.models import Agent, User
from tests.approvals.factories import make_request
from tests.cast import make_user
from tests.pages import browser, permit, queries, root

pytestmark = pytest.mark.django_db


def done(user: User) -> list[bool]:
    return [step.done for step in first_steps.steps(user)]


def test_an_empty_installation_has_everything_before_it() -> None:
    page = browser(root()).get("/admin/").content.decode()

    assert "6 of 6 steps are left" in page
    assert "manage.py create_agent refund-bot" in page
    assert "curl -sS http://localhost" in page


def test_each_step_is_seen_to_be_done_and_then_the_list_is_gone(
    refund_rules: None, alice: User, agent: Agent
) -> None:
    me = root()
    assert done(me) == [True, False, True, True, False, False]

    agents.issue_key(agent)
    asked = make_request(agent)
    assert done(me) == [True, True, True, True, True, False]

    services.decide(asked, alice, Vote.Verdict.APPROVE, digest=asked.digest)
    assert first_steps.steps(me) == []
    assert "first-steps" not in browser(me).get("/admin/").content.decode()


def test_a_group_that_is_asked_and_empty_is_named(refund_rules: None) -> None:
    [step] = [s for s in first_steps.steps(root()) if "groups" in s.title]

    assert not step.done
    assert "customer-service-managers, finance" in step.text


def test_who_sets_nothing_up_is_not_bothered(charlie: User) -> None:
    assert first_steps.steps(charlie) == []


def test_it_costs_one_query_once_all_is_done(
    refund_rules: None, alice: User, agent: Agent
) -> None:
    agents.issue_key(agent)
    asked = make_request(agent)
    services.decide(asked, alice, Vote.Verdict.APPROVE, digest=asked.digest)
    client = browser(root())

    found = [sql for sql in queries(client, "/admin/") if "agentkey" in sql]

    assert len(found) == 1


LISTS = [
    f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    for model in admin.site._registry
]


@pytest.mark.parametrize("url", LISTS)
def test_no_list_is_just_empty(url: str) -> None:
    answer = browser(root()).get(url, follow=True)

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "yielded into no results" not in page
    assert emptiness.UNKNOWN.title not in page


def test_what_to_do_next_is_told_to_those_who_can(charlie: User) -> None:
    url = "/admin/policies/policy/"
    permit(charlie, "policies.view_policy")
    dana = make_user("dana")
    permit(dana, "policies.view_policy", "policies.add_policy")

    read, write = (browser(u).get(url).content.decode() for u in (charlie, dana))

    assert "Until there is one, everything is blocked." in read
    assert "Load an example" not in read
    assert "Load an example" in write
    assert re.search(r'href="/admin/policies/policy/add/"[^>]*>Add a policy', write)


def test_a_filter_that_matches_nothing_is_no_empty_list(refund_rules: None) -> None:
    page = browser(root()).get("/admin/policies/policy/?q=nothing").content.decode()

    assert "Nothing matches" in page
    assert "No policies yet" not in page
