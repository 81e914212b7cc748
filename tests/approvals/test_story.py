"""The story of one action, to print: complete, honest, and for those who may see it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from approvals import services
from approvals.console import dossier
from approvals.models import ApprovalRequest, Vote
from governance import canonical, clock, ledger
from governance.ledger import Actor, Kind
from governance.models import Action, Agent, Event, Status, User
from tests.approvals.factories import browser, make_request, page_of
from tests.cast import REFUND, AgentClient
from tests.pages import permit, queries

HOSTILE = "<script>alert(1)</script>\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe"


@pytest.fixture
def auditor(charlie: User) -> User:
    permit(charlie, "governance.view_action", "governance.view_event")
    return charlie


def address(action: Action) -> str:
    return reverse("admin:approvals_story", args=[action.pk])


def story(person: User | Client, action: Action) -> str:
    client = person if isinstance(person, Client) else browser(person)
    answer = client.get(address(action))
    assert answer.status_code == 200
    return answer.content.decode()


def approve(request: ApprovalRequest, person: User, comment: str = "") -> None:
    verdict = Vote.Verdict.APPROVE
    conditions = ["Call the customer first."]
    services.decide(
        request,
        person,
        verdict,
        digest=request.digest,
        comment=comment,
        conditions=conditions,
    )


def test_it_tells_everything(
    agent: Agent, refund: ApprovalRequest, alice: User, auditor: User
) -> None:
    approve(refund, alice, "Screen is cracked indeed.")
    services.consume(refund.action_id, agent, refund.digest)
    services.report(refund.action_id, agent, Status.SUCCEEDED, {"transfer": "T-99"})

    page = story(auditor, refund.action)

    for event in Event.objects.about(refund.action):
        assert f"<span>{event.pk}</span>" in page
    for words in ("C-7", refund.digest, "Screen is cracked indeed.", "T-99", "alice"):
        assert words in page
    assert "On condition: <bdi" in page
    assert "Computed again from what is below: the same." in page
    assert "Printed by <bdi" in page


def test_it_tells_of_every_revision(
    agent: Agent, refund: ApprovalRequest, alice: User, auditor: User
) -> None:
    ask = Vote.Verdict.REQUEST_CHANGES
    services.decide(refund, alice, ask, digest=refund.digest, comment="Too much.")
    services.revise(refund.action_id, agent, {"params": {**REFUND, "amount": 60}})

    page = story(auditor, refund.action)

    assert "Revision 1" in page
    assert "Revision 2" in page
    assert "Too much." in page
    assert page.count("Computed again from what is below: the same.") == 2


def test_it_is_there_for_what_nobody_was_asked_about(
    api: AgentClient, refund_rules: None, auditor: User
) -> None:
    api.submit(amount=10)

    page = story(auditor, Action.objects.get())

    assert "What the policies said: Allowed" in page
    assert "What people said" not in page


def test_nothing_is_cut(api: AgentClient, refund_rules: None, auditor: User) -> None:
    answer = api.submit(context={"note": "x" * 5_000 + "the end"}, reason=HOSTILE)
    assert answer["status"] == "pending"

    page = story(auditor, Action.objects.get())

    assert page.count("the end") == 2
    assert "<script>alert" not in page
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page


def test_what_was_tampered_with_is_said(
    refund: ApprovalRequest, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canonical, "digest", lambda *parts: "sha256:other")

    assert "another one" in story(auditor, refund.action)


def test_events_that_do_not_fit_are_named(
    refund: ApprovalRequest, auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dossier, "MOST_EVENTS", 2)
    actor = Actor.person(auditor)
    ledger.record(Kind.CLAIMED, at=clock.now(), actor=actor, action=refund.action)

    page = story(auditor, refund.action)

    assert "do not fit here" in page
    assert f"to {Event.objects.about(refund.action).last().pk} do not" in page  # type: ignore[union-attr]


def test_reading_it_is_on_record_once_in_a_while(
    refund: ApprovalRequest, auditor: User
) -> None:
    client = browser(auditor)
    client.head(address(refund.action))
    assert not Event.objects.filter(kind=Kind.PRINTED).exists()

    story(client, refund.action)
    story(client, refund.action)

    [event] = Event.objects.filter(kind=Kind.PRINTED)
    assert event.actor_name == "charlie"
    with clock.shifted(timedelta(minutes=6)):
        story(client, refund.action)
    assert Event.objects.filter(kind=Kind.PRINTED).count() == 2


def test_who_is_asked_reads_it_and_nobody_else(
    refund: ApprovalRequest, alice: User, carol: User, charlie: User
) -> None:
    assert "Revision 1" in story(alice, refund.action)
    for person in (carol, charlie):
        assert browser(person).get(address(refund.action)).status_code == 403
    assert browser(alice).post(address(refund.action)).status_code == 405


def test_an_unknown_action_is_not_found_by_those_who_see_all(
    auditor: User, alice: User
) -> None:
    nowhere = (
        "/admin/approvals/approvalrequest/story/01939c9e-0000-7000-8000-000000000000/"
    )

    assert browser(auditor).get(nowhere).status_code == 404
    assert browser(alice).get(nowhere).status_code == 403


def test_it_is_reached_from_the_pages_of_the_action_and_the_request(
    refund: ApprovalRequest, alice: User, auditor: User
) -> None:
    page = browser(auditor).get(f"/admin/governance/action/{refund.action_id}/change/")

    assert (
        address(refund.action) in browser(alice).get(page_of(refund)).content.decode()
    )
    [button] = [b for b in page.context["actions_detail"] if "print" in b["path"]]
    assert browser(auditor).get(button["path"])["Location"] == address(refund.action)


def test_it_costs_the_same_for_many_events(
    agent: Agent, refund: ApprovalRequest, auditor: User
) -> None:
    client = browser(auditor)
    few = queries(client, address(refund.action))
    other = make_request(agent, 80, customer_id="C-9")
    for _ in range(10):
        actor = Actor.person(auditor)
        ledger.record(Kind.CLAIMED, at=clock.now(), actor=actor, action=other.action)

    assert len(queries(client, address(other.action))) == len(few)
