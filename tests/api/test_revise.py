"""What an agent sends after a person has asked for changes, and what it gets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from approvals import services
from approvals.models import Vote
from approvals.services import review
from governance import clock
from governance.canonical import digest
from governance.models import Action, Agent, User
from policies import services as rules
from policies.bodies import Subject
from tests.cast import REFUND, AgentClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]

RESOURCE = {"type": "order", "id": "A-1001"}


def say(answer: dict[str, Any], who: User, verdict: str, **words: Any) -> None:
    request = review.find(answer["id"])
    assert request
    services.decide(request, who, Vote.Verdict(verdict), digest=request.digest, **words)


def revise(api: AgentClient, answer: dict[str, Any], **body: Any) -> Any:
    headers = {"Idempotency_Key": body.pop("key")} if "key" in body else {}
    return api.post(f"/actions/{answer['id']}/revise", body, **headers)


def params(amount: object, **others: Any) -> dict[str, Any]:
    return {**REFUND, "amount": amount, **others}


@pytest.fixture
def sent_back(api: AgentClient, alice: User) -> dict[str, Any]:
    """A refund of $75 of which a manager wants less."""
    answer = api.submit(75, resource=RESOURCE, reason="Cracked.", context={"photos": 2})
    say(answer, alice, "request_changes", comment="Less.")
    return answer


def test_it_is_the_next_revision_with_a_digest_of_its_own(
    api: AgentClient, sent_back: dict[str, Any]
) -> None:
    answer = revise(api, sent_back, params=params(60))
    action = answer.json()

    assert answer.status_code == 200
    assert (action["id"], action["revision"]) == (sent_back["id"], 2)
    assert (action["status"], action["decision"]) == ("pending", "REQUIRE_APPROVAL")
    assert action["digest"] == digest("refund.create", params(60), RESOURCE)
    assert action["approval"]["decisions"] == []
    assert action["created_at"] == sent_back["created_at"]


def test_what_is_left_out_is_kept(api: AgentClient, sent_back: dict[str, Any]) -> None:
    action = revise(api, sent_back, params=params(60)).json()

    for name in ("resource", "reason", "context"):
        assert action[name] == sent_back[name]


def test_what_is_sent_takes_its_place(
    api: AgentClient, sent_back: dict[str, Any]
) -> None:
    sent = {"params": params(60), "resource": None, "reason": "", "context": {"a": 1}}
    action = revise(api, sent_back, **sent).json()

    assert {name: action[name] for name in sent} == sent


@pytest.mark.parametrize(
    ("amount", "status"), [(20, "allowed"), (60, "pending"), (500, "pending")]
)
def test_it_is_judged_anew(
    api: AgentClient, sent_back: dict[str, Any], amount: int, status: str
) -> None:
    action = revise(api, sent_back, params=params(amount)).json()

    assert action["status"] == status
    groups = [s["groups"] for s in (action["approval"] or {"stages": []})["stages"]]
    assert (
        groups
        == {
            20: [],
            60: [["customer-service-managers"]],
            500: [["finance"]],
        }[amount]
    )


def test_what_is_allowed_may_be_consumed(
    api: AgentClient, sent_back: dict[str, Any]
) -> None:
    action = revise(api, sent_back, params=params(20)).json()
    assert action["settled_at"]
    assert action["grant_expires_at"]
    assert action["approval"] is None

    path = f"/actions/{action['id']}/consume"
    former = api.post(path, {"digest": sent_back["digest"]})
    assert former.json()["code"] == "digest_mismatch"
    assert api.post(path, {"digest": action["digest"]}).status_code == 200


def test_what_is_blocked_is_over(api: AgentClient, sent_back: dict[str, Any]) -> None:
    action = revise(
        api, sent_back, params=params(60), context={"order_total": 50}
    ).json()

    assert (action["status"], action["decision"]) == ("blocked", "BLOCK")
    assert action["settled_at"]
    assert revise(api, sent_back, params=params(60)).json()["code"] == "not_revisable"


def test_it_does_not_count_itself(api: AgentClient, sent_back: dict[str, Any]) -> None:
    # Or $20 would be a repeat refund of the $75 before it.
    assert revise(api, sent_back, params=params(20)).json()["status"] == "allowed"
    assert api.submit(20)["status"] == "pending"


def test_later_ones_find_it_under_its_new_key(
    api: AgentClient, sent_back: dict[str, Any]
) -> None:
    revise(api, sent_back, params=params(60, customer_id="C-8"))

    assert api.submit(20)["status"] == "allowed"
    assert api.submit(20, params={"customer_id": "C-8"})["status"] == "pending"


def test_approvals_never_carry_over(
    api: AgentClient, sent_back: dict[str, Any], alice: User, bob: User
) -> None:
    say(answer := revise(api, sent_back, params=params(60)).json(), bob, "approve")
    assert api.get(f"/actions/{answer['id']}").json()["status"] == "approved"

    again = api.submit(80)
    say(again, alice, "request_changes")
    assert revise(api, again, params=params(81)).json()["status"] == "pending"


def test_who_asked_for_changes_may_approve_the_next(
    api: AgentClient, sent_back: dict[str, Any], alice: User
) -> None:
    action = revise(api, sent_back, params=params(60)).json()
    say(action, alice, "approve")

    assert api.get(f"/actions/{action['id']}").json()["status"] == "approved"


@pytest.mark.parametrize("verdict", [None, "approve", "reject"])
def test_only_what_a_person_wants_changed_can_be_revised(
    api: AgentClient, alice: User, verdict: str | None
) -> None:
    answer = api.submit(75)
    if verdict:
        say(answer, alice, verdict)
    refused = revise(api, answer, params=params(60))

    assert (refused.status_code, refused.json()["code"]) == (409, "not_revisable")
    assert Action.objects.get().revision == 1


def test_what_has_expired_says_so(api: AgentClient) -> None:
    answer = api.submit(75, expires_in=60)
    with clock.shifted(timedelta(minutes=2)):
        refused = revise(api, answer, params=params(60)).json()

    assert refused["code"] == "not_revisable"
    assert "expired" in refused["detail"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "params_required"),
        ({"params": []}, "type_error"),
        ({"params": {}, "action": "refund.create"}, "unknown_field"),
        ({"params": {}, "expires_in": 60}, "unknown_field"),
        ({"params": {}, "resource": {"type": "order"}}, "type_error"),
        ({"params": {}, "reason": 1}, "type_error"),
        ({"params": {}, "context": None}, "type_error"),
        ({"params": {"amount": 60}}, "schema"),
        ({"params": {"amount": -1, "customer_id": "C-7"}}, "schema"),
    ],
)
def test_the_body_is_checked_as_for_submit(
    api: AgentClient, sent_back: dict[str, Any], body: dict[str, Any], code: str
) -> None:
    refused = revise(api, sent_back, **body)

    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert Action.objects.get().revision == 1


def test_the_json_is_read_as_strictly(
    api: AgentClient, sent_back: dict[str, Any]
) -> None:
    path = f"/actions/{sent_back['id']}/revise"
    refused = api.send("POST", path, '{"params": {"amount": 1, "amount": 2}}')

    assert (refused.status_code, refused.json()["code"]) == (400, "duplicate_key")


def test_another_agents_action_is_not_found_whatever_is_sent(
    sent_back: dict[str, Any],
) -> None:
    from governance import services as governance

    other = AgentClient(governance.issue_key(governance.create_agent("other")))

    assert revise(other, sent_back, nonsense=True).status_code == 404


def test_the_same_key_again_is_the_same_revision(
    api: AgentClient, sent_back: dict[str, Any]
) -> None:
    first = revise(api, sent_back, params=params(60), key="r1")
    again = revise(api, sent_back, params=params(60.0), key="r1")

    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert again.status_code == 200
    assert again.json()["revision"] == 2


def test_the_same_key_with_another_body_is_refused(
    api: AgentClient, sent_back: dict[str, Any]
) -> None:
    revise(api, sent_back, params=params(60), key="r1")
    refused = revise(api, sent_back, params=params(61), key="r1")

    assert refused.json()["code"] == "idempotency_key_reused"


def test_a_refusal_leaves_no_key_behind(api: AgentClient, alice: User) -> None:
    answer = api.submit(75)
    assert revise(api, answer, params=params(60), key="r1").status_code == 409
    say(answer, alice, "request_changes")

    assert revise(api, answer, params=params(60), key="r1").status_code == 200


def test_the_agents_patience_starts_anew(api: AgentClient, alice: User) -> None:
    answer = api.submit(75, expires_in=600)
    say(answer, alice, "request_changes")
    with clock.shifted(timedelta(days=1)):
        action = revise(api, answer, params=params(60)).json()
        row = Action.objects.get()

        assert action["approval"]["deadline_at"]
        assert row.expires_at is not None
        left = row.expires_at - clock.now()
        assert timedelta(minutes=9) < left <= timedelta(minutes=10)
        assert row.deadline_at == row.expires_at
    with clock.shifted(timedelta(days=1, minutes=11)):
        assert api.get(f"/actions/{answer['id']}").json()["status"] == "expired"


def test_an_agent_that_never_revises_may_wait_for_ever_and_cancel(
    api: AgentClient, alice: User
) -> None:
    answer = api.submit(75, expires_in=600)
    say(answer, alice, "request_changes")
    path = f"/actions/{answer['id']}"
    with clock.shifted(timedelta(days=400)):
        assert api.get(path).json()["status"] == "changes_requested"
        assert api.post(f"{path}/cancel").json()["status"] == "cancelled"
        assert revise(api, answer, params=params(60)).status_code == 409


def test_the_cap_on_what_waits_holds(
    api: AgentClient, sent_back: dict[str, Any], settings: Any
) -> None:
    settings.MAX_PENDING_PER_AGENT = 1
    api.submit(75)

    refused = revise(api, sent_back, params=params(60))
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_pending")
    assert revise(api, sent_back, params=params(20, customer_id="C-9")).json()[
        "status"
    ] == ("allowed")


def test_it_is_judged_by_the_rules_of_now(
    api: AgentClient, sent_back: dict[str, Any]
) -> None:
    rules.save(
        Subject.POLICY,
        {"name": "stop", "actions": ["*"], "decision": "BLOCK", "reason": "Stop."},
    )
    action = revise(api, sent_back, params=params(60)).json()

    assert action["status"] == "blocked"
    assert action["reasons"][0]["policy"] == "stop"


def test_the_agent_sees_what_the_reviewer_would_agree_to(
    api: AgentClient, alice: User
) -> None:
    answer = api.submit(75)
    assert answer["approval"]["proposed_params"] is None
    say(answer, alice, "request_changes", comment="Less.", proposed_params=params(60))
    approval = api.get(f"/actions/{answer['id']}").json()["approval"]

    assert approval["proposed_params"] == params(60)
    assert approval["decisions"][0]["proposed_params"] == params(60)
    revised = revise(api, answer, params=approval["proposed_params"]).json()
    assert revised["approval"]["proposed_params"] is None


def test_a_suspended_agent_is_refused(
    api: AgentClient, agent: Agent, sent_back: dict[str, Any]
) -> None:
    from governance import services as governance

    governance.suspend(agent)
    refused = revise(api, sent_back, params=params(60))

    assert refused.json()["code"] == "agent_suspended"


def test_a_frozen_action_is_not_revised(
    api: AgentClient, sent_back: dict[str, Any], alice: User
) -> None:
    from governance.models import Freeze

    Freeze.objects.create(
        pattern="refund.*", reason="Stop.", frozen_by=alice, frozen_at=clock.now()
    )
    refused = revise(api, sent_back, params=params(60))

    assert (refused.status_code, refused.json()["code"]) == (403, "frozen")
