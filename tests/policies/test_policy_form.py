"""What a new policy begins with, and what is asked before it lets everything through."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from policies import services
from policies.bodies import Subject
from policies.models import Policy
from tests.pages import browser, root
from tests.policies.making import policy
from tests.policies.test_admin import POLICIES, page, policy_form

ADD = f"{POLICIES}add/"
WIDE = {"actions": "*", "when": ""}


@pytest.fixture
def console(db: None) -> Client:
    return browser(root())


def asked(client: Client, url: str, fields: dict[str, Any]) -> bool:
    """Return whether saving was answered with a question."""
    answer = client.post(url, fields)
    if answer.status_code == 302:
        return False
    assert list(answer.context["adminform"].form.errors) == ["meant"]
    return True


def test_a_new_policy_decides_nothing_yet(console: Client) -> None:
    form = console.get(ADD).context["adminform"].form

    assert form["mode"].value() == "draft"
    assert not form["decision"].value()
    assert next(iter(form.fields["decision"].choices))[0] == ""
    assert not form["meant"].value()


def test_a_decision_has_to_be_chosen(console: Client) -> None:
    answer = console.post(ADD, policy_form(decision=""))

    assert list(answer.context["adminform"].form.errors) == ["decision"]
    assert not Policy.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [WIDE, {"when": ""}, {"when": " \n"}, {"actions": "mail.send, *"}],
)
def test_it_asks_before_it_lets_everything_through(
    console: Client, fields: dict[str, str]
) -> None:
    assert asked(console, ADD, policy_form(**fields))
    assert not Policy.objects.exists()

    assert not asked(console, ADD, policy_form(**fields, meant="on"))
    assert Policy.objects.get().mode == "enforce"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        WIDE | {"mode": "draft"},
        WIDE | {"mode": "monitor"},
        WIDE | {"decision": "BLOCK"},
    ],
)
def test_it_asks_nothing_else(console: Client, fields: dict[str, str]) -> None:
    assert not asked(console, ADD, policy_form(**fields))


def test_it_asks_when_a_policy_becomes_wide(console: Client) -> None:
    services.save(Subject.POLICY, policy(when="params.amount < 50"))
    url = page(Policy.objects.get())

    assert asked(console, url, policy_form(when=""))
    assert not asked(console, url, policy_form(when="", meant="on"))
    # It has been answered: other words are no other rule.
    assert not asked(console, url, policy_form(when="", reason="Go ahead."))
    assert asked(console, url, policy_form(when="", actions="refund.*"))


def test_a_wide_policy_is_tried_without_a_question(console: Client) -> None:
    form = policy_form(**WIDE) | {"_subject": "policy", "_rule": ""}
    form |= {"sample-action": "refund.create", "sample-params": "{}"}

    shown = console.post("/admin/policies/backtest/", form).content.decode()

    assert "could not be saved" not in shown
