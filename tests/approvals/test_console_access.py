from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from approvals.models import ApprovalRequest
from approvals.roles import grant_console
from governance.models import Agent, User
from tests.approvals.factories import QUEUE, browser, page_of
from tests.cast import make_user

pytestmark = pytest.mark.django_db


def opens(person: User, path: str = QUEUE) -> int:
    return browser(person).get(path).status_code


def test_membership_in_a_group_that_a_flow_names_is_enough(
    refund_rules: None, alice: User
) -> None:
    assert opens(alice) == 200


def test_membership_in_a_group_that_was_asked_is_enough(
    refund: ApprovalRequest, agent: Agent
) -> None:
    former = Group.objects.create(name="former")
    refund.asked.add(former)

    assert opens(make_user("fred", former)) == 200


def test_others_stay_outside(refund_rules: None, charlie: User) -> None:
    assert opens(charlie) == 403


def test_those_who_are_not_staff_are_sent_to_the_login(
    refund_rules: None, managers: Group
) -> None:
    assert opens(make_user("mike", managers, is_staff=False)) == 302


def test_the_permission_opens_an_empty_console(
    refund: ApprovalRequest, charlie: User
) -> None:
    group = Group.objects.create(name="support")
    charlie.groups.add(group)
    grant_console(group)

    assert opens(charlie) == 200
    assert opens(charlie, page_of(refund)) == 302


def test_auditors_see_everything_and_decide_nothing(
    refund: ApprovalRequest, charlie: User
) -> None:
    group = Group.objects.create(name="auditors")
    charlie.groups.add(group)
    grant_console(group, everything=True)

    page = browser(charlie).get(page_of(refund)).content.decode()
    assert "You are not among the people asked to decide this." in page


def test_another_groups_request_is_not_even_there(
    refund: ApprovalRequest, carol: User
) -> None:
    answer = browser(carol).get(page_of(refund), follow=True)

    assert "exist" in answer.content.decode()
    assert "A-1001" not in answer.content.decode()


@pytest.mark.parametrize("part", ["nonsense", "0193-", "%00", "../../"])
def test_an_address_that_means_nothing_leads_nowhere(
    refund_rules: None, alice: User, part: str
) -> None:
    assert opens(alice, f"{QUEUE}{part}/change/") in (302, 404)


@pytest.mark.parametrize("verb", ["add/", "{}/delete/"])
def test_nothing_can_be_added_or_deleted(refund: ApprovalRequest, verb: str) -> None:
    root = make_user("root", is_superuser=True)

    assert browser(root).post(QUEUE + verb.format(refund.pk)).status_code == 403


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options"])
def test_the_page_answers_to_no_other_method(
    refund: ApprovalRequest, alice: User, method: str
) -> None:
    assert getattr(browser(alice), method)(page_of(refund)).status_code == 405
