"""Frozen: nothing is submitted or spent, whatever was decided before."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event as Signal
from typing import Any

import pytest
from django.db import connection

from approvals import judgement, services, stops
from approvals.models import ApprovalRequest, Vote
from approvals.services import Proposal
from governance import clock, freezes, keys
from governance import services as governance
from governance.errors import Refused
from governance.ledger import Kind
from governance.models import Action, Agent, Event, Freeze, User
from tests.approvals.factories import browser, make_request, page_of
from tests.cast import REFUND, AgentClient
from tests.pages import permit, queries

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]
WHY = "Refunds were paid twice."


def freeze(pattern: str = "*") -> Freeze:
    return freezes.freeze(pattern, reason=WHY)


def thaw() -> None:
    for frozen in Freeze.objects.active():
        freezes.thaw(frozen, reason="Mended.")


def consume(api: AgentClient, action: dict[str, Any]) -> Any:
    return api.post(f"/actions/{action['id']}/consume", {"digest": action["digest"]})


@pytest.mark.parametrize("pattern", ["*", "refund.*", "refund.create"])
def test_nothing_it_covers_is_submitted(api: AgentClient, pattern: str) -> None:
    freeze(pattern)
    answer = api.submit(20)

    assert (answer["status"], answer["code"]) == (403, "frozen")
    assert WHY in answer["detail"]
    assert "is frozen since" in answer["detail"]
    assert not Action.objects.exists()


@pytest.mark.parametrize("pattern", ["refund", "refund.create.all", "refunds.*"])
def test_what_it_does_not_cover_goes_on(api: AgentClient, pattern: str) -> None:
    freeze(pattern)

    assert api.submit(20)["status"] == "allowed"


def test_that_it_was_asked_for_is_on_record(api: AgentClient) -> None:
    freeze("refund.*")
    api.submit(20)

    event = Event.objects.get(kind=Kind.SUBMIT_REFUSED)
    assert (event.actor_name, event.data["wanted"]) == ("refund-bot", "refund.create")
    assert event.data["code"] == "frozen"


def test_what_was_allowed_before_is_not_spent(api: AgentClient) -> None:
    action = api.submit(20)
    frozen = freeze()
    answer = consume(api, action)

    assert answer.status_code == 403
    assert answer.json()["code"] == "frozen"
    kept = Action.objects.get()
    assert (kept.status, kept.consumed_at) == ("allowed", None)
    assert Event.objects.get(kind=Kind.CONSUME_REFUSED).data["code"] == "frozen"

    end = kept.grant_expires_at
    freezes.thaw(frozen, reason="Mended.")
    kept.refresh_from_db()
    assert kept.grant_expires_at == end
    assert consume(api, action).json()["status"] == "executing"


def test_a_frozen_grant_still_runs_out(api: AgentClient) -> None:
    action = api.submit(20)
    freeze()
    with clock.shifted(Action.objects.get().grant * 2):
        assert consume(api, action).json()["code"] == "grant_expired"


def test_a_retry_gets_the_answer_it_had(api: AgentClient) -> None:
    body = {"action": "refund.create", "params": {**REFUND, "amount": 20}}
    first = api.post("/actions", body, Idempotency_Key="k1").json()
    spend = f"/actions/{first['id']}/consume"
    api.post(spend, {"digest": first["digest"]}, Idempotency_Key="k2")
    freeze()

    again = api.post("/actions", body, Idempotency_Key="k1")
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    spent = api.post(spend, {"digest": first["digest"]}, Idempotency_Key="k2")
    assert (spent.status_code, spent.json()["status"]) == (200, "executing")


def test_people_decide_and_agents_withdraw_and_report(
    api: AgentClient, alice: User
) -> None:
    running, waiting, unwanted = api.submit(20), api.submit(75), api.submit(80)
    consume(api, running)
    freeze()

    request = ApprovalRequest.objects.get(action=waiting["id"])
    services.decide(request, alice, Vote.Verdict.APPROVE, digest=request.digest)
    assert api.get(f"/actions/{waiting['id']}").json()["status"] == "approved"
    assert consume(api, waiting).json()["code"] == "frozen"
    cancelled = api.post(f"/actions/{unwanted['id']}/cancel")
    assert cancelled.json()["status"] == "cancelled"
    told = api.post(f"/actions/{running['id']}/outcome", {"status": "succeeded"})
    assert told.json()["status"] == "succeeded"


def test_policies_do_not_matter_while_it_lasts(api: AgentClient) -> None:
    freeze()

    assert api.post("/actions", {"action": "db.drop", "params": {}}).json()["code"] == (
        "frozen"
    )
    thaw()
    assert api.post("/actions", {"action": "db.drop", "params": {}}).json()[
        "status"
    ] == ("blocked")


def test_a_suspended_agent_spends_nothing_that_was_approved(
    api: AgentClient, agent: Agent, alice: User
) -> None:
    waiting = api.submit(75)
    request = ApprovalRequest.objects.get()
    services.decide(request, alice, Vote.Verdict.APPROVE, digest=request.digest)
    governance.suspend(agent, reason="It is confused.")

    assert consume(api, waiting).json()["code"] == "agent_suspended"
    assert api.submit(20)["code"] == "agent_suspended"
    assert Action.objects.get().status == "approved"


def test_waiting_requests_show_it(agent: Agent, alice: User) -> None:
    request = make_request(agent)
    freeze("refund.*")
    page = browser(alice).get(page_of(request)).content.decode()
    queue = browser(alice).get("/admin/approvals/approvalrequest/").content.decode()

    assert "cs-frozen" in page
    assert "cs-frozen" in queue
    thaw()
    assert "cs-frozen" not in browser(alice).get(page_of(request)).content.decode()


def test_every_page_says_so_in_one_query(admin_user: User, alice: User) -> None:
    client = browser(alice)
    before = len(queries(client, "/admin/"))
    freeze("refund.*")
    freeze("*")
    page = client.get("/admin/").content.decode()

    assert page.count("alarm-frozen") == 2
    assert WHY in page
    assert len(queries(client, "/admin/")) == before


# The page with the stop buttons

STOPS = "/admin/governance/freeze/"


@pytest.fixture
def dora(carol: User) -> User:
    permit(carol, "governance.freeze_actions")
    return carol


def test_the_page_freezes_and_thaws(dora: User) -> None:
    client = browser(dora)
    answer = client.post(STOPS, {"pattern": "refund.*", "reason": WHY})
    assert answer.status_code == 302
    frozen = Freeze.objects.active().get()
    assert (frozen.pattern, frozen.frozen_by) == ("refund.*", dora)

    assert WHY in client.get(STOPS).content.decode()
    client.post(f"{STOPS}{frozen.pk}/thaw/", {"reason": "Mended."})
    assert not Freeze.objects.active().exists()


def test_the_page_says_what_is_missing(dora: User) -> None:
    answer = browser(dora).post(STOPS, {"pattern": "re*", "reason": WHY})

    assert answer.status_code == 422
    assert "Name an action" in answer.content.decode()
    assert not Freeze.objects.exists()


def test_looking_freezes_nothing(dora: User) -> None:
    frozen = freeze()
    for page in (STOPS, f"{STOPS}{frozen.pk}/thaw/", f"{STOPS}{frozen.pk}/change/"):
        assert browser(dora).get(page).status_code == 200
    assert Freeze.objects.active().count() == 1


def test_the_page_is_for_those_who_may(alice: User) -> None:
    frozen = freeze("refund.*")
    client = browser(alice)

    assert client.get(STOPS).status_code == 403
    assert client.post(STOPS, {"pattern": "*", "reason": WHY}).status_code == 403
    thawing = client.post(f"{STOPS}{frozen.pk}/thaw/", {"reason": "Mended."})
    assert thawing.status_code == 403
    assert Freeze.objects.active().count() == 1


def test_the_page_costs_the_same_for_many(dora: User) -> None:
    client = browser(dora)
    freeze("refund.create")
    few = len(queries(client, STOPS))
    for number in range(10):
        freeze(f"some.action_{number}")

    assert len(queries(client, STOPS)) == few


# Two at once


def run(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Refused as refusal:
        return refusal
    finally:
        connection.close()


def submitted(agent: Agent, customer: int) -> Action:
    params = {**REFUND, "amount": 20, "customer_id": f"C-{customer}"}
    course, _ = services.submit(agent, Proposal("refund.create", params))
    return course.action


@pytest.mark.django_db(transaction=True)
def test_nothing_is_spent_after_freezing_has_returned(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions = [submitted(agent, number) for number in range(4)]
    spending, frozen = Signal(), Signal()
    blocked_now = judgement.blocked_now

    def slowly(action: Action) -> str | None:
        spending.set()
        # It was not frozen a moment ago. Is it safe to rely on that until the commit?
        assert not frozen.wait(timeout=0.7)
        return blocked_now(action)

    def stop() -> None:
        spending.wait(timeout=5)
        freeze()
        frozen.set()

    monkeypatch.setattr(judgement, "blocked_now", slowly)
    calls: list[Callable[[], Any]] = [
        partial(services.consume, action.pk, agent, action.digest) for action in actions
    ]
    with ThreadPoolExecutor(len(calls) + 1) as pool:
        outcomes = list(pool.map(run, [*calls, stop]))

    assert not any(isinstance(each, AssertionError) for each in outcomes)
    at = Freeze.objects.get().frozen_at
    spent = Action.objects.exclude(consumed_at=None)
    assert spent.exists()
    assert not spent.filter(consumed_at__gt=at).exists()
    refused = [each for each in outcomes if isinstance(each, stops.Frozen)]
    assert len(refused) == len(actions) - spent.count()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_submitted_after_freezing_has_returned(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging, frozen = Signal(), Signal()
    facts = judgement._facts

    def slowly(*args: Any) -> Any:
        judging.set()
        assert not frozen.wait(timeout=0.7)
        return facts(*args)

    def stop() -> None:
        judging.wait(timeout=5)
        freeze()
        frozen.set()

    monkeypatch.setattr(judgement, "_facts", slowly)
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(run, [lambda: submitted(agent, 1), stop]))

    assert isinstance(outcomes[0], Action)
    assert frozen.is_set()
    with pytest.raises(stops.Frozen):
        submitted(agent, 2)


@pytest.mark.django_db(transaction=True)
def test_suspending_holds_for_submissions_that_follow(agent: Agent) -> None:
    key = governance.issue_key(agent)
    governance.suspend(agent)

    with pytest.raises(keys.Suspended):
        keys.verify(key)
