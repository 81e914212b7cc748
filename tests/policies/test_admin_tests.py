"""Tests of the rules in the console: kept like rules, and run on every look."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from policies import services
from policies.bodies import Subject
from policies.models import Policy, PolicyTest, Version
from tests.pages import browser, permit, queries, root
from tests.policies.making import lookback, policy
from tests.policies.test_admin import complaint, policy_form

pytestmark = pytest.mark.django_db
TESTS = "/admin/policies/policytest/"


@pytest.fixture
def console() -> Client:
    return browser(root())


def form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "49-goes-through",
        "action": "refund.create",
        "params": '{"amount": 49}',
        "resource": "",
        "context": "",
        "agent": "",
        "history": "",
        "now": "",
        "expect": "ALLOW",
        "note": "",
        **fields,
    }


@pytest.fixture
def small() -> None:
    services.save(Subject.POLICY, policy(when="params.amount < 50"))


def test_a_test_is_made_and_changed(console: Client, small: None) -> None:
    answer = console.post(f"{TESTS}add/", form(note="The limit."))
    assert answer.status_code == 302
    test = PolicyTest.objects.get()
    page = f"{TESTS}{test.pk}/change/"
    assert b"ALLOW</textarea>" in console.get(page).content

    expect = '{"decision": "BLOCK", "policies": []}'
    changed = form(params='{"amount": 50}', now="2026-11-25T14:00:00+01:00")
    assert console.post(page, changed | {"expect": expect}).status_code == 302

    test.refresh_from_db()
    assert test.body["now"] == "2026-11-25T13:00:00Z"
    assert test.body["expect"]["decision"] == "BLOCK"
    assert Version.objects.filter(subject="test").count() == 2


def test_saving_what_is_shown_changes_nothing(console: Client, small: None) -> None:
    services.save(Subject.LOOKBACK, lookback())
    sample = {
        "name": "t", "action": "refund.create", "params": {"amount": 7, "a": [None]},
        "agent": {"tags": ["ü"]}, "history": {"customer_refunds": {"count": 2}},
        "resource": {"type": "order", "id": "1"}, "context": {"x": "y"},
        "now": "2026-11-25T13:00:00Z", "expect": {"risk": 0, "flows": []},
    }  # fmt: skip
    services.save(Subject.TEST, sample)
    page = f"{TESTS}{PolicyTest.objects.get().pk}/change/"
    shown = console.get(page).context["adminform"].form

    console.post(page, {name: shown[name].value() or "" for name in shown.fields})

    assert Version.objects.filter(subject="test").count() == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"params": "{"}, "Enter a valid JSON."),
        ({"params": "[1]"}, "Write an object here."),
        ({"expect": "MAYBE"}, "Write one of ALLOW, REQUIRE_APPROVAL, BLOCK."),
        ({"expect": "BLOCK"}, "The test 49-goes-through fails: expected BLOCK, got ALLOW"),
        ({"action": "Refund"}, "write a lower-case dotted name"),
        ({"now": "noon"}, "Write a moment like 2026-11-25T14:00:00Z."),
        ({"now": "0001-01-01T00:00:00Z"}, "Write a moment like 2026-11-25T14:00:00Z."),
        ({"now": "9999-12-31T23:59:59Z"}, "Write a moment like 2026-11-25T14:00:00Z."),
        ({"history": '{"nope": {}}'}, "There is no lookback nope."),
        ({"name": "A b"}, "use lower-case letters"),
    ],
)  # fmt: skip
def test_it_says_what_is_wrong(
    console: Client, small: None, fields: dict[str, Any], words: str
) -> None:
    assert words in complaint(console, f"{TESTS}add/", form(**fields))
    assert not PolicyTest.objects.exists()


def test_a_rule_that_breaks_a_test_is_refused(console: Client, small: None) -> None:
    console.post(f"{TESTS}add/", form())
    page = f"/admin/policies/policy/{Policy.objects.get().pk}/change/"

    words = complaint(console, page, policy_form(when="params.amount < 49"))

    assert "The test 49-goes-through fails: expected ALLOW, got BLOCK" in words
    assert Policy.objects.get().when == "params.amount < 50"


def test_a_broken_test_stops_retiring_with_its_name(
    console: Client, small: None
) -> None:
    console.post(f"{TESTS}add/", form())
    page = f"/admin/policies/policy/{Policy.objects.get().pk}/retire/"

    answer = console.post(page, {"note": "Old."}, follow=True)

    assert "The test 49-goes-through fails" in answer.content.decode()
    assert Policy.objects.get().mode == "enforce"


def test_the_list_says_what_passes_and_why_not(console: Client, small: None) -> None:
    console.post(f"{TESTS}add/", form())
    assert "passes" in console.get(TESTS).content.decode()

    # As if the clock had broken it.
    test = PolicyTest.objects.get()
    test.body["params"] = {"amount": 75}
    test.save(update_fields=["body"])

    page = console.get(TESTS).content.decode()
    assert "fails" in page
    assert "small did not match: params.amount is 75" in page


def test_the_list_asks_as_often_for_eleven_as_for_one(
    console: Client, small: None
) -> None:
    def add(number: int) -> None:
        services.save(
            Subject.TEST, {"name": f"t{number}", "action": "a", "expect": "BLOCK"}
        )

    add(0)
    console.get(TESTS)
    one = len(queries(console, TESTS))
    for number in range(1, 11):
        add(number)
    console.get(TESTS)

    assert len(queries(console, TESTS)) == one


def test_those_who_may_look_cannot_change(charlie: Any, small: None) -> None:
    services.save(Subject.TEST, {"name": "t", "action": "a", "expect": "BLOCK"})
    permit(charlie, "policies.view_policytest")
    client = browser(charlie)
    page = f"{TESTS}{PolicyTest.objects.get().pk}/change/"

    assert client.get(TESTS).status_code == 200
    assert client.get(page).status_code == 200
    assert client.post(page, form()).status_code == 403
    assert client.get(f"{TESTS}add/").status_code == 403


def test_a_test_is_removed(console: Client, small: None) -> None:
    console.post(f"{TESTS}add/", form())

    console.post(f"{TESTS}{PolicyTest.objects.get().pk}/remove/", {"note": "Old."})

    assert not PolicyTest.objects.exists()
