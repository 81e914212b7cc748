"""The pages of a revision, and of what waits under rules that have changed."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from approvals import services
from approvals.console.revisions import differences
from approvals.jobs import check_drift
from approvals.models import ApprovalRequest, Vote
from governance.models import Action, Agent, Event, User
from policies import services as rules
from policies.bodies import Subject
from tests.approvals.factories import QUEUE, browser, make_request, page_of
from tests.approvals.test_console_review import page, section
from tests.cast import REFUND
from tests.pages import permit

pytestmark = pytest.mark.django_db

ALL_AGAIN = "/admin/approvals/approvalrequest/rejudge/"
PROPOSED = {**REFUND, "amount": 60}


def again(request: ApprovalRequest) -> str:
    return reverse("admin:approvals_approvalrequest_rejudge", args=[request.pk])


def send_back(request: ApprovalRequest, who: User, **words: Any) -> None:
    verdict = Vote.Verdict.REQUEST_CHANGES
    services.decide(request, who, verdict, digest=request.digest, **words)


def revise(request: ApprovalRequest, **sent: Any) -> ApprovalRequest:
    agent = request.action.agent
    course, _ = services.revise(request.action_id, agent, {"params": PROPOSED, **sent})
    assert course.request
    return course.request


def change_rules(**fields: Any) -> None:
    body = {"name": "newer", "actions": ["refund.*"], "decision": "BLOCK", "reason": ""}
    rules.save(Subject.POLICY, {**body, **fields})
    check_drift()


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": 1}, {"a": True}, {("a",): "changed"}),
        ({"a": 1}, {"a": "1"}, {("a",): "changed"}),
        ({"a": None}, {}, {("a",): "removed"}),
        ({}, {"a": {}}, {("a",): "added"}),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, {("a", 2): "changed", ("a", 3): "added"}),
        (
            {"a": {"b": 1}},
            {"a": {"c": 1}},
            {("a", "b"): "removed", ("a", "c"): "added"},
        ),
        (None, {"id": "1"}, {("id",): "added"}),
        ({"a": 1}, {"a": {"1": 1}}, {("a",): "removed", ("a", "1"): "added"}),
    ],
)
def test_values_are_compared_as_they_are_hashed(
    before: Any, after: Any, kinds: dict[Any, str]
) -> None:
    found = differences(before, after)

    assert {each.fact.path: each.kind for each in found} == kinds


def test_it_shows_both_sides(refund: ApprovalRequest, alice: User) -> None:
    send_back(refund, alice, comment="Only the mug.")
    since = section(page(alice, revise(refund, reason="Half.")), "since")

    for words in (
        "What changed since revision 1",
        "alice asked for changes: “Only the mug.",
        "amount (changed) 75 75.00 USD 60 60.00 USD",
        "reason (added) not there Half.",
    ):
        assert words in since
    assert "customer_id" not in since


def test_it_says_whether_the_agent_took_what_was_proposed(
    refund: ApprovalRequest, alice: User
) -> None:
    send_back(refund, alice, comment="Less.", proposed_params=PROPOSED)
    since = section(page(alice, revise(refund)), "since")

    assert "As proposed" in since
    assert "The agent sent exactly the parameters that were proposed." in since


def test_it_says_where_the_agent_departed_from_it(
    refund: ApprovalRequest, alice: User
) -> None:
    send_back(refund, alice, comment="Less.", proposed_params=PROPOSED)
    later = revise(refund, params={**REFUND, "amount": 61})
    since = section(page(alice, later), "since")

    assert "Not as proposed" in since
    assert "Where it is not what alice proposed" in since
    assert "Proposed Sent amount (changed) 60 60.00 USD 61 61.00 USD" in since


def test_a_first_revision_compares_itself_with_nothing(
    refund: ApprovalRequest, alice: User
) -> None:
    assert "since-title" not in page(alice, refund)


def test_it_runs_nothing_that_anybody_wrote(
    refund: ApprovalRequest, alice: User
) -> None:
    evil = "<script>alert(1)</script>\u202e"
    send_back(refund, alice, comment="<b>Less</b>")
    html = page(alice, revise(refund, params={**PROPOSED, evil[:8]: evil}))

    assert "<script>alert" not in html
    assert "<b>Less</b>" not in html
    assert "U+202E" in html


def test_the_former_one_leads_to_the_latest(
    refund: ApprovalRequest, alice: User
) -> None:
    send_back(refund, alice, comment="Less.")
    later = revise(refund)
    html = page(alice, refund)

    assert "The agent has sent a changed version since." in html
    assert page_of(later) in html
    assert 'value="approve"' not in html


# When the rules have changed


def test_the_page_says_what_would_happen_now(
    refund: ApprovalRequest, alice: User
) -> None:
    change_rules(decision="REQUIRE_APPROVAL", flow="finance")
    html = page(alice, refund)

    assert "By now it would need customer-service-managers and finance" in html
    assert again(refund) not in html


def test_the_button_is_there_for_those_who_may(
    refund: ApprovalRequest, alice: User
) -> None:
    permit(alice, "approvals.rejudge_approvalrequest")
    change_rules()

    assert again(refund) in page(alice, refund)


def test_it_is_judged_again_and_the_new_one_is_shown(
    refund: ApprovalRequest, alice: User
) -> None:
    permit(alice, "approvals.rejudge_approvalrequest")
    change_rules(decision="REQUIRE_APPROVAL", flow="finance")
    answer = browser(alice).post(again(refund), {"confirmed": "on"}, follow=True)
    html = answer.content.decode()

    assert answer.redirect_chain[0][0] == page_of(
        ApprovalRequest.objects.get(revision=2)
    )
    assert "Judged again: put before people anew." in html
    assert "alice had it judged again" in section(html, "since")
    former = page(alice, refund)
    assert "It was judged again by the rules of then." in former
    assert 'value="approve"' not in former


def test_what_is_blocked_then_says_so(refund: ApprovalRequest, alice: User) -> None:
    permit(alice, "approvals.rejudge_approvalrequest")
    change_rules()
    answer = browser(alice).post(again(refund), {"confirmed": "on"}, follow=True)

    assert "Nobody was asked any more: it is blocked." in answer.content.decode()
    assert "Judged again" in browser(alice).get(f"{QUEUE}?show=all").content.decode()


def test_it_takes_a_confirmation(refund: ApprovalRequest, alice: User) -> None:
    permit(alice, "approvals.rejudge_approvalrequest")
    browser(alice).post(again(refund))

    assert Action.objects.get().revision == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_it_takes_the_permission_and_a_click(
    refund: ApprovalRequest, alice: User, method: str
) -> None:
    change_rules()
    for path in (again(refund), ALL_AGAIN):
        answer = getattr(browser(alice), method)(path, {"confirmed": "on"})
        assert answer.status_code == (405 if method == "get" else 403)

    assert Action.objects.get().revision == 1
    assert not Event.objects.filter(kind="judged_again").exists()


def test_what_a_person_may_not_see_they_cannot_have_judged(
    refund: ApprovalRequest, carol: User
) -> None:
    permit(carol, "approvals.rejudge_approvalrequest", "approvals.view_approvalrequest")
    change_rules()
    client = browser(carol)

    assert client.post(again(refund), {"confirmed": "on"}).status_code == 404
    client.post(ALL_AGAIN, {"confirmed": "on"})
    assert Action.objects.get().status == "pending"


@pytest.mark.parametrize("path", [QUEUE, "/admin/"])
def test_a_notice_says_how_much_has_drifted(
    refund: ApprovalRequest, agent: Agent, alice: User, path: str
) -> None:
    make_request(agent, 80)
    change_rules(decision="REQUIRE_APPROVAL", flow="finance")
    change_rules(name="newest", when="params.amount == 80.0")
    html = browser(alice).get(path).content.decode()

    assert (
        "1 waiting request would now be blocked, "
        "1 would need customer-service-managers and finance." in html
    )
    assert "?show=drift" in html


def test_there_is_no_notice_when_nothing_has(
    refund: ApprovalRequest, alice: User
) -> None:
    change_rules(actions=["mail.*"])

    assert "show=drift" not in browser(alice).get(QUEUE).content.decode()


def test_the_tab_lists_what_has_drifted_only(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    make_request(agent, 80)
    change_rules(when="params.amount == 80.0")
    found = browser(alice).get(f"{QUEUE}?show=drift").context["cl"].rows

    assert [row.request.params["amount"] for row in found] == [80]


def test_all_are_judged_again_each_in_its_own_step(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    permit(alice, "approvals.rejudge_approvalrequest")
    make_request(agent, 80)
    change_rules()
    answer = browser(alice).post(ALL_AGAIN, {"confirmed": "on"}, follow=True)

    assert "2 judged again: 2 blocked." in answer.content.decode()
    assert Event.objects.filter(kind="judged_again").count() == 2


def test_what_is_refused_is_said(
    refund: ApprovalRequest, agent: Agent, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    permit(alice, "approvals.rejudge_approvalrequest")
    other = make_request(agent, 80)
    change_rules()
    rejudge = services.rejudge

    def decided_meanwhile(request: ApprovalRequest, person: User) -> Any:
        if request == other:
            verdict = Vote.Verdict.REJECT
            services.decide(request, alice, verdict, digest=request.digest)
        return rejudge(request, person)

    monkeypatch.setattr(services, "rejudge", decided_meanwhile)
    answer = browser(alice).post(ALL_AGAIN, {"confirmed": "on"}, follow=True)

    html = answer.content.decode()
    assert "1 judged again: 1 blocked." in html
    assert "1 refused: This request is rejected already" in html
