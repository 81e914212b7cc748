"""The life of an action as its agent sees it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals import services
from approvals.models import Vote
from approvals.services import review
from governance import clock
from governance import services as governance
from governance.models import Action, Agent, Event, User
from policies import services as rules
from policies.bodies import Subject
from tests.cast import AgentClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]

OTHER = "sha256:" + "0" * 64


def decide(answer: dict[str, Any], who: User, verdict: str, **words: Any) -> None:
    request = review.find(answer["id"])
    assert request
    digest = answer["digest"]
    services.decide(request, who, Vote.Verdict(verdict), digest=digest, **words)


def consume(api: AgentClient, answer: dict[str, Any], **headers: str) -> Any:
    path = f"/actions/{answer['id']}/consume"
    return api.post(path, {"digest": answer["digest"]}, **headers)


def outcome(api: AgentClient, answer: dict[str, Any], status: str, **more: Any) -> Any:
    return api.post(f"/actions/{answer['id']}/outcome", {"status": status, **more})


def read(api: AgentClient, answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/actions/{answer['id']}").json()
    return found


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json().get("code")


def test_a_small_refund_is_allowed(api: AgentClient) -> None:
    answer = api.submit(20)

    assert (answer["decision"], answer["status"]) == ("ALLOW", "allowed")
    assert answer["approval"] is None
    assert answer["grant_expires_at"].endswith("Z")
    assert answer["reasons"][0]["policy"] == "small-refunds"


@pytest.mark.parametrize("amount", [50, 75, 200])
def test_a_middling_refund_waits_for_a_manager(api: AgentClient, amount: int) -> None:
    answer = api.submit(amount)

    assert (answer["decision"], answer["status"]) == ("REQUIRE_APPROVAL", "pending")
    assert answer["approval"]["stages"] == [
        {
            "name": "Manager",
            "groups": ["customer-service-managers"],
            "needed": 1,
            "approved": 0,
            "status": "open",
        }
    ]
    assert answer["settled_at"] is None
    assert answer["grant_expires_at"] is None


@pytest.mark.parametrize(("amount", "group"), [(49.99, None), (200.01, "finance")])
def test_the_limits_are_where_they_are(
    api: AgentClient, amount: float, group: str | None
) -> None:
    answer = api.submit(amount)

    stages = answer["approval"]["stages"] if answer["approval"] else []
    assert [stage["groups"] for stage in stages] == ([[group]] if group else [])


def test_a_repeat_refund_always_needs_a_person(api: AgentClient) -> None:
    assert api.submit(20)["status"] == "allowed"
    again = api.submit(20)

    assert again["status"] == "pending"
    assert again["reasons"][0]["policy"] == "repeat-refund"


def test_the_customer_is_the_same_as_a_number_or_as_text(api: AgentClient) -> None:
    assert api.submit(20, params={"customer_id": 7})["status"] == "allowed"
    assert api.submit(20, params={"customer_id": "7"})["status"] == "pending"


def test_a_refund_of_31_days_ago_is_forgotten(api: AgentClient) -> None:
    with clock.shifted(timedelta(days=-31)):
        assert api.submit(20)["status"] == "allowed"

    assert api.submit(20)["status"] == "allowed"


def test_what_was_cancelled_does_not_count(api: AgentClient) -> None:
    first = api.submit(20)
    api.post(f"/actions/{first['id']}/cancel")

    assert api.submit(20)["status"] == "allowed"


def test_the_id_and_the_times_have_their_form(api: AgentClient) -> None:
    answer = api.submit()

    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}", answer["id"])
    assert re.fullmatch(r"[\d-]{10}T[\d:.]+Z", answer["created_at"])
    assert answer["digest"].startswith("sha256:")


def test_the_whole_story_is_told(api: AgentClient, alice: User) -> None:
    asked = api.submit(75)
    decide(asked, alice, "approve", comment="Fine.", conditions=["Today only."])
    approved = read(api, asked)
    assert approved["status"] == "approved"
    assert approved["approval"]["comment"] == "Fine."
    assert approved["approval"]["conditions"] == ["Today only."]
    said = approved["approval"]["decisions"][0]
    assert (said["by"], said["verdict"], said["via"]) == ("alice", "approve", "console")

    assert consume(api, asked).json()["status"] == "executing"
    assert outcome(api, asked, "succeeded").json()["status"] == "succeeded"

    events = Event.objects.filter(action=asked["id"]).order_by("id")
    assert list(events.values_list("kind", flat=True)) == [
        "submitted",
        "stage_opened",
        "voted",
        "stage_closed",
        "approved",
        "consumed",
        "outcome_reported",
    ]


def test_the_trace_of_the_evaluation_is_on_record(api: AgentClient) -> None:
    asked = api.submit(75)

    data = Event.objects.get(action=asked["id"], kind="submitted").data
    assert data["trace"]["facts"]["params.amount"] == 75
    looked_at = {entry["policy"] for entry in data["trace"]["policies"]}
    assert {"small-refunds", "refunds-50-to-200", "repeat-refund"} <= looked_at


def test_a_rejection_ends_it(api: AgentClient, alice: User) -> None:
    asked = api.submit(75)
    decide(asked, alice, "reject", comment="No photo.")

    assert read(api, asked)["status"] == "rejected"
    assert code(consume(api, asked)) == (409, "not_approved")


def test_changes_may_be_asked_for(api: AgentClient, alice: User) -> None:
    asked = api.submit(75)
    decide(asked, alice, "request_changes", comment="Only the screen: 60.")

    answer = read(api, asked)
    assert answer["status"] == "changes_requested"
    assert answer["approval"]["comment"] == "Only the screen: 60."
    assert answer["settled_at"] is None


def test_nobody_deciding_is_no(api: AgentClient) -> None:
    asked = api.submit(75, expires_in=60)
    with clock.shifted(timedelta(seconds=61)):
        answer = read(api, asked)

    # No worker has run: reading alone shows what silence decided, and saves nothing
    assert answer["status"] == "expired"
    assert Action.objects.get().status == "pending"


def test_the_agent_may_not_lengthen_the_deadline(api: AgentClient) -> None:
    asked = api.submit(75, expires_in=30 * 24 * 3600)
    other = api.submit(75, params={"customer_id": "C-8"})

    assert (
        asked["approval"]["deadline_at"][:16] == other["approval"]["deadline_at"][:16]
    )


# Consume


def test_a_permission_is_spent_once(api: AgentClient) -> None:
    asked = api.submit(20)
    assert consume(api, asked).status_code == 200
    assert code(consume(api, asked)) == (409, "already_consumed")


def test_spending_again_with_the_same_key_is_the_same_answer(api: AgentClient) -> None:
    asked = api.submit(20)
    first = consume(api, asked, Idempotency_Key="k1")
    again = consume(api, asked, Idempotency_Key="k1")

    assert first.json() == again.json()
    assert code(consume(api, asked, Idempotency_Key="k2")) == (409, "already_consumed")


def test_another_digest_burns_nothing(api: AgentClient) -> None:
    asked = api.submit(20)
    path = f"/actions/{asked['id']}/consume"

    assert code(api.post(path, {"digest": OTHER})) == (409, "digest_mismatch")
    assert consume(api, asked).status_code == 200


@pytest.mark.parametrize("sent", [{}, {"digest": None}, {"digest": "sha256:x"}])
def test_what_is_no_digest_is_refused(api: AgentClient, sent: dict[str, Any]) -> None:
    asked = api.submit(20)
    response = api.post(f"/actions/{asked['id']}/consume", sent)

    assert code(response) == (400, "digest_invalid")


def test_a_permission_ends(api: AgentClient) -> None:
    asked = api.submit(20)
    with clock.shifted(timedelta(hours=1, seconds=1)):
        assert code(consume(api, asked)) == (410, "grant_expired")
        assert read(api, asked)["status"] == "expired"


def test_an_expired_request_was_never_granted(api: AgentClient) -> None:
    asked = api.submit(75, expires_in=1)
    with clock.shifted(timedelta(seconds=2)):
        assert code(consume(api, asked)) == (409, "not_approved")


@pytest.mark.parametrize("status", ["pending", "cancelled"])
def test_what_is_not_granted_cannot_be_spent(api: AgentClient, status: str) -> None:
    asked = api.submit(75)
    if status == "cancelled":
        api.post(f"/actions/{asked['id']}/cancel")
    response = consume(api, asked)

    assert code(response) == (409, "not_approved")
    assert status in response.json()["detail"]


def test_a_policy_that_blocks_by_now_refuses(api: AgentClient, tmp_path: Any) -> None:
    asked = api.submit(20)
    file = tmp_path / "block.yaml"
    file.write_text(
        "version: 1\n"
        "policies:\n"
        "  - {name: stop, actions: ['*'], decision: BLOCK, reason: Stopped.}\n"
    )
    call_command("load_policies", str(file), verbosity=0)

    assert code(consume(api, asked)) == (403, "blocked_now")
    assert Event.objects.get(kind="consume_refused").data["code"] == "blocked_now"


def test_a_suspended_agent_is_refused_on_the_next_call(
    api: AgentClient, agent: Agent
) -> None:
    asked = api.submit(20)
    governance.suspend(agent)
    assert code(consume(api, asked)) == (403, "agent_suspended")

    governance.resume(agent)
    assert consume(api, asked).status_code == 200


def test_a_revoked_key_is_refused_on_the_next_call(
    api: AgentClient, agent: Agent
) -> None:
    spare = AgentClient(governance.issue_key(agent))
    governance.revoke_key(
        agent.keys.get(prefix__in=[api.headers["Authorization"][11:23]])
    )

    assert code(api.get("/actions")) == (401, "invalid_api_key")
    assert spare.get("/actions").status_code == 200
    assert Event.objects.get(kind="key_refused").data["why"] == "revoked"


def test_an_expired_key_is_refused(agent: Agent) -> None:
    api = AgentClient(governance.issue_key(agent, lifetime=timedelta(days=1)))
    assert api.get("/actions").status_code == 200

    with clock.shifted(timedelta(days=1, seconds=1)):
        assert code(api.get("/actions")) == (401, "invalid_api_key")


# Outcome


def test_an_outcome_is_reported_once(api: AgentClient) -> None:
    asked = api.submit(20)
    consume(api, asked)

    assert outcome(api, asked, "succeeded", detail={"id": 1}).status_code == 200
    assert outcome(api, asked, "succeeded", detail={"id": 1}).status_code == 200
    assert code(outcome(api, asked, "failed")) == (409, "outcome_conflict")
    assert Event.objects.filter(kind="outcome_reported").count() == 1


def test_an_unknown_outcome_may_be_known_later(api: AgentClient) -> None:
    asked = api.submit(20)
    consume(api, asked)
    outcome(api, asked, "unknown")

    assert outcome(api, asked, "failed").json()["status"] == "failed"
    assert code(outcome(api, asked, "unknown")) == (409, "outcome_conflict")


def test_there_is_no_outcome_before_it_ran(api: AgentClient) -> None:
    assert code(outcome(api, api.submit(20), "succeeded")) == (409, "not_consumed")


@pytest.mark.parametrize("sent", [{}, {"status": "done"}, {"status": 7}])
def test_an_outcome_has_three_words(api: AgentClient, sent: dict[str, Any]) -> None:
    asked = api.submit(20)
    response = api.post(f"/actions/{asked['id']}/outcome", sent)

    assert code(response) == (422, "outcome_status")


def test_an_outcome_has_the_limits_of_any_body(api: AgentClient) -> None:
    asked = api.submit(20)
    consume(api, asked)
    path = f"/actions/{asked['id']}/outcome"

    assert code(api.send("POST", path, b" " * 10_000_000)) == (413, "body_too_large")
    assert code(api.send("POST", path, b'{"status": "\xff"}')) == (400, "invalid_utf8")
    assert code(outcome(api, asked, "failed", id=7)) == (422, "read_only_field")


# What cannot be evaluated


def test_a_rule_that_cannot_be_evaluated_asks_and_is_heard_of(
    api: AgentClient, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"action": "refund.create", "params": {"amount": 20, "customer_id": None}}
    file_schema(None)
    answer = api.post("/actions", body).json()

    assert answer["decision"] == "REQUIRE_APPROVAL"
    reason = next(r for r in answer["reasons"] if r["policy"] == "repeat-refund")
    assert "could not be evaluated" in reason["reason"]
    assert "repeat-refund could not be evaluated for refund.create" in caplog.text
    metrics = api.client.get("/metrics").content.decode()
    assert re.search(r"^countersign_unevaluated_total [1-9]", metrics, re.MULTILINE)


@pytest.mark.parametrize("amount", [True, "75", None, [20], {"x": 1}])
def test_an_amount_of_the_wrong_kind_is_never_allowed(
    api: AgentClient, amount: object
) -> None:
    file_schema(None)
    answer = api.post(
        "/actions",
        {"action": "refund.create", "params": {"amount": amount, "customer_id": "C-7"}},
    ).json()

    assert answer["decision"] == "REQUIRE_APPROVAL"


def file_schema(schema: dict[str, Any] | None) -> None:
    """Let the catalogue ask for this shape of a refund's params."""
    rules.save(Subject.ACTION_TYPE, {"name": "refund.create", "params_schema": schema})


# Cancel


@pytest.mark.parametrize("amount", [20, 75])
def test_withdrawing_twice_is_the_same_as_once(api: AgentClient, amount: int) -> None:
    path = f"/actions/{api.submit(amount)['id']}/cancel"

    assert api.post(path).json()["status"] == "cancelled"
    assert api.post(path, {}).json()["status"] == "cancelled"
    assert Event.objects.filter(kind="cancelled").count() == 1


def test_what_is_over_cannot_be_withdrawn(api: AgentClient, alice: User) -> None:
    asked = api.submit(75)
    decide(asked, alice, "reject")

    assert code(api.post(f"/actions/{asked['id']}/cancel")) == (409, "not_cancellable")


# Idempotency


def test_the_same_key_and_body_is_the_same_action(api: AgentClient) -> None:
    body = {"action": "refund.create", "params": {"amount": 20, "customer_id": "C-7"}}
    other_words = {"params": {"customer_id": "C-7", "amount": 20.0}, **body}
    first = api.post("/actions", body, Idempotency_Key="k1")
    again = api.post("/actions", other_words, Idempotency_Key="k1")

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert again["Idempotent-Replayed"] == "true"
    assert Action.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(api: AgentClient) -> None:
    body = {"action": "refund.create", "params": {"amount": 20, "customer_id": "C-7"}}
    first = api.post("/actions", body, Idempotency_Key="k1").json()
    other = api.post("/actions", {**body, "reason": "x"}, Idempotency_Key="k1")

    assert code(other) == (422, "idempotency_key_reused")
    assert first["id"] in other.json()["detail"]


def test_keys_of_two_agents_do_not_meet(api: AgentClient) -> None:
    other = AgentClient(governance.issue_key(governance.create_agent("other-bot")))
    body = {"action": "refund.create", "params": {"amount": 20, "customer_id": "C-7"}}
    first = api.post("/actions", body, Idempotency_Key="k1").json()
    second = other.post("/actions", body, Idempotency_Key="k1")

    assert second.status_code == 201
    assert code(other.get(f"/actions/{first['id']}")) == (404, "not_found")


def test_a_key_that_was_refused_may_be_used_again(api: AgentClient) -> None:
    good = {"action": "refund.create", "params": {"amount": 20, "customer_id": "C-7"}}
    bad = {"action": "refund.create", "params": {}}
    assert api.post("/actions", bad, Idempotency_Key="k1").status_code == 422

    assert api.post("/actions", good, Idempotency_Key="k1").status_code == 201


# List


def test_the_list_is_paged_newest_first(api: AgentClient) -> None:
    ids = [api.submit(20, params={"customer_id": f"C-{n}"})["id"] for n in range(5)]
    first = api.get("/actions?limit=3").json()
    rest = api.get(f"/actions?limit=3&cursor={first['next']}").json()

    found = [action["id"] for page in (first, rest) for action in page["results"]]
    assert found == ids[::-1]
    assert rest["next"] is None


def test_the_list_can_be_narrowed(api: AgentClient) -> None:
    api.submit(20)
    waiting = api.submit(75)

    found = api.get("/actions?status=pending").json()["results"]
    assert [action["id"] for action in found] == [waiting["id"]]
    assert api.get("/actions?action=other.thing").json()["results"] == []


def test_the_list_takes_the_same_number_of_queries(api: AgentClient) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            api.get("/actions")
        return len(captured)

    api.submit(75)
    for_one = queries()
    for number in range(10):
        api.submit(75, params={"customer_id": f"C-1{number}"})

    assert len(api.get("/actions").json()["results"]) == 11
    assert queries() == for_one


def test_the_list_is_narrowed_by_what_silence_has_decided(api: AgentClient) -> None:
    ended = [api.submit(75, expires_in=60)["id"] for _ in range(3)]
    waiting = [api.submit(75)["id"] for _ in range(3)]

    def found(status: str, limit: int) -> list[str]:
        path = f"/actions?status={status}&limit={limit}"
        return [action["id"] for action in api.get(path).json()["results"]]

    with clock.shifted(timedelta(seconds=61)):
        assert found("pending", 10) == waiting[::-1]
        assert found("expired", 2) == ended[:0:-1]
        assert found("expired", 10) == ended[::-1]
    # Looking has saved nothing
    assert Action.objects.pending().count() == 6


def test_what_silence_has_ended_does_not_count_as_waiting(
    api: AgentClient, settings: Any
) -> None:
    settings.MAX_PENDING_PER_AGENT = 1
    api.submit(75, expires_in=60)
    assert api.submit(75)["code"] == "too_many_pending"

    with clock.shifted(timedelta(seconds=61)):
        assert api.submit(75)["status"] == "pending"


def test_a_bad_digest_is_pointed_at(api: AgentClient) -> None:
    asked = api.submit(20)
    response = api.post(f"/actions/{asked['id']}/consume", {"digest": "x"})

    assert response.json()["errors"][0]["path"] == "/digest"
