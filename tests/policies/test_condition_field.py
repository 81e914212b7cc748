"""The field of a condition: it says what is wrong, and knows names and real values."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from approvals import services
from approvals.services import Proposal
from governance.models import Action, Agent, Event, User
from policies import cel, observed
from policies.models import Policy, Version
from tests.cast import REFUND
from tests.pages import browser, permit

POLICY = "/admin/policies/policy/condition/"
FACTOR = "/admin/policies/riskfactor/condition/"
HIDDEN = "a\N{ZERO WIDTH SPACE}b"


@pytest.fixture
def author(refund_rules: None, charlie: User) -> Client:
    permit(charlie, "policies.change_policy", "policies.change_riskfactor")
    return browser(charlie)


def said(client: Client, when: str, url: str = POLICY) -> str:
    answer = client.post(url, {"when": when})
    assert answer.status_code == 200
    return answer.content.decode()


def names(client: Client, actions: str = "", url: str = POLICY) -> str:
    answer = client.get(f"{url}names/", {"actions": actions})
    assert answer.status_code == 200
    return answer.content.decode()


def submit(agent: Agent, action: str = "refund.create", **params: Any) -> None:
    services.submit(agent, Proposal(action, {**REFUND, **params}, None, "", {}))


def test_it_says_what_is_wrong_and_where(author: Client) -> None:
    page = said(author, "true &&\r\n  history.customer_refund.count > 0")

    assert "There is no &#x27;history.customer_refund.count&#x27;" in page
    assert "Line 2, column 26." in page
    assert "history.customer_refund<mark>.</mark>count" in page


def test_it_says_that_all_is_well(author: Client) -> None:
    page = said(author, "params.amount > 50 && history.customer_refunds.count == 0")

    assert "It compiles." in page
    assert "<code>history.customer_refunds.count</code>" in page
    assert "always holds" in said(author, " \r\n ")


def test_only_a_policy_may_use_the_risk(author: Client) -> None:
    assert "It compiles." in said(author, "risk > 50")
    assert "may not use" in said(author, "risk > 50", FACTOR)
    assert 'data-insert="risk"' in names(author)
    assert 'data-insert="risk"' not in names(author, url=FACTOR)


@pytest.mark.parametrize(
    "when",
    [
        "<script>alert(1)</script>",
        "'\N{RIGHT-TO-LEFT OVERRIDE}' == 1",
        "\0",
        "(" * 1_900,
        "x" * (cel.MAX_LENGTH + 1),
        "a" * 500_000,
        "params.ü.ö > '🎉",
    ],
)
def test_whatever_is_typed_gets_an_answer(author: Client, when: str) -> None:
    page = said(author, when)

    assert "data-bad" in page
    assert "<script>" not in page
    assert len(page) < 5_000


def test_it_changes_nothing(author: Client) -> None:
    before = (Event.objects.count(), Version.objects.count(), Policy.objects.count())

    said(author, "params.amount > 50")
    names(author, "refund.*")

    after = (Event.objects.count(), Version.objects.count(), Policy.objects.count())
    assert before == after


def test_it_is_for_those_who_may_see_rules(refund_rules: None, charlie: User) -> None:
    permit(charlie, "policies.view_riskfactor", "governance.view_action")
    client = browser(charlie)

    assert client.post(POLICY, {"when": "true"}).status_code == 403
    assert client.get(f"{POLICY}names/").status_code == 403
    permit(charlie, "policies.add_policy")
    assert "It compiles." in said(browser(charlie), "true")


def test_a_check_is_a_post_and_names_are_a_get(author: Client) -> None:
    assert author.get(POLICY).status_code == 405
    assert author.post(f"{POLICY}names/").status_code == 405


def test_a_check_needs_the_token(author: Client) -> None:
    author.handler.enforce_csrf_checks = True

    assert author.post(POLICY, {"when": "true"}).status_code == 403


def test_it_knows_the_rules_names(author: Client) -> None:
    page = names(author)

    for name in ("history.customer_refunds.count", "history.customer_refunds.sum"):
        assert f'data-insert="{name}"' in page
    assert "sum of params.amount by params.customer_id" in page


def test_every_name_it_offers_compiles(author: Client) -> None:
    offered = re.findall('data-insert="([^"]+)"', names(author))

    assert len(offered) > 10
    for name in offered:
        if not name.endswith("()"):
            assert "It compiles." in said(author, f"{name} == {name}")


def test_values_are_for_those_who_may_see_actions(
    author: Client, charlie: User, agent: Agent
) -> None:
    submit(agent)
    assert "Whoever may view actions" in names(author, "refund.create")

    permit(charlie, "governance.view_action")
    page = names(browser(charlie), "refund.create, <b>, *.bad")

    assert 'data-insert="params.amount"' in page
    assert "“C-7”" in page


def test_it_has_seen_paths_kinds_and_values(refund_rules: None, agent: Agent) -> None:
    submit(agent, amount=20, items=[1, 2], to={"zip": "10115"})
    submit(agent, amount=300.5, items=[], to={"zip": None, "by post": True})

    found = {each.name: each for each in observed.observe(["refund.*"]).seen}

    assert (found["params.amount"].kind, found["params.amount"].told) == (
        "number",
        "20 to 300.5",
    )
    assert found["params.items"].told == "0 to 2 items"
    assert found["params.to.zip"].kind in ("text or null", "null or text")
    assert found['params.to["by post"]'].source == 'params.to["by post"]'
    assert found["params.to.zip"].times == 2


def test_what_hides_in_a_name_is_shown_and_never_written(
    refund_rules: None, agent: Agent
) -> None:
    hostile: dict[str, Any] = {HIDDEN: HIDDEN, 'quo"te': 1, "while": 1}
    submit(agent, **hostile)

    found = {each.path[1]: each for each in observed.observe(["*"]).seen}

    assert found[HIDDEN].source == ""
    assert HIDDEN not in found[HIDDEN].name + found[HIDDEN].told
    for name in ('quo"te', "while"):
        condition = f"{found[name].source} == 1.0"
        assert cel.compile_condition(condition)


def test_only_the_latest_of_the_pattern_count(
    refund_rules: None, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observed, "NEWEST", 2)
    monkeypatch.setattr(observed, "WINDOW", 4)
    for number in range(3):
        submit(agent, only=number)
    submit(agent, "mail.send", other=1)

    def paths(*patterns: str) -> dict[str, int]:
        seen = observed.observe(patterns).seen
        return {each.path[1]: each.times for each in seen if each.path[0] == "params"}

    assert paths("refund.create")["only"] == 2
    assert "other" not in paths("refund.*", "nothing.at_all")
    assert paths("mail.*")["other"] == 1
    assert paths() == {}


def test_much_in_few_actions_is_cut(
    refund_rules: None, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observed, "_VALUES", 10)
    for _ in range(4):
        submit(agent, many={f"k{n}": n for n in range(20)})

    found = observed.observe(["refund.create"])

    assert found.actions == 1
    assert found.is_cut


def test_it_costs_the_same_for_many_actions(refund_rules: None, agent: Agent) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            observed.observe(["refund.*"])
        return len(captured)

    submit(agent)
    one = cost()
    for _ in range(9):
        submit(agent)

    assert cost() == one
    assert Action.objects.count() == 10
