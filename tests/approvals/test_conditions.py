"""Conditions of an approval: refused when they make no sense, asked when it runs."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from approvals import conditions, judgement, services
from approvals.course import Course
from approvals.errors import (
    BlockedNow,
    ConditionNotMet,
    DigestMismatch,
    NotApproved,
)
from approvals.models import ApprovalRequest, Vote
from governance import clock
from governance.errors import Invalid, Refused
from governance.ledger import Kind
from governance.models import Action, Agent, Event, Status, User
from policies import services as rules
from policies.bodies import Subject
from tests.approvals.factories import make_request
from tests.cast import AgentClient

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
APPROVE, CHANGES = Vote.Verdict.APPROVE, Vote.Verdict.REQUEST_CHANGES


def check(expression: str, text: str = "") -> dict[str, str]:
    return {"expression": expression, "text": text}


def approve(request: ApprovalRequest, who: User, *checks: dict[str, str]) -> Course:
    return services.decide(request, who, APPROVE, digest=request.digest, checks=checks)


def propose(request: ApprovalRequest, who: User, **params: Any) -> Course:
    changed = {**request.params, **params}
    return services.decide(
        request, who, CHANGES, digest=request.digest, proposed_params=changed
    )


def consume(request: ApprovalRequest, **options: Any) -> Course:
    agent = request.action.agent
    return services.consume(request.action_id, agent, request.digest, **options)


def refusal(request: ApprovalRequest) -> Refused:
    with pytest.raises(ConditionNotMet) as caught:
        consume(request)
    assert Action.objects.get(pk=request.action_id).consumed_at is None
    return caught.value


# When it runs


@pytest.mark.parametrize(
    "expression",
    [
        "params.amount <= 75",
        'action == "refund.create"',
        'resource.id == "A-1001" && resource.sensitivity >= 0',
        'agent.name == "refund-bot"',
        "risk < 100",
        'now > timestamp("2020-01-01T00:00:00Z")',
        "!has(context.vip)",
    ],
)
def test_what_holds_lets_it_run(
    refund: ApprovalRequest, alice: User, expression: str
) -> None:
    approve(refund, alice, check(expression))

    assert consume(refund).action.status == Status.EXECUTING


def test_what_does_not_hold_refuses_and_spends_nothing(
    refund: ApprovalRequest, alice: User
) -> None:
    approve(refund, alice, check("params.amount <= 60"))

    refused = refusal(refund)
    assert (refused.code, refused.status) == ("condition_not_met", 403)
    assert str(refused) == (
        "“params.amount <= 60” does not hold: params.amount is 75. Nothing was spent."
    )
    assert Action.objects.get().status == Status.APPROVED


def test_the_refusal_is_in_the_words_of_the_approver(
    refund: ApprovalRequest, alice: User
) -> None:
    approve(refund, alice, check("params.amount <= 60", "At most $60."))

    assert str(refusal(refund)).startswith("“At most $60.” does not hold: ")


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("params.limit < 5", "params.limit is missing"),
        ("params.currency < 5", "params.currency is a text"),
        ("params.express", "params.express is missing"),
        ("params.amount", "the result is neither true nor false"),
    ],
)
def test_what_cannot_be_evaluated_refuses(
    refund: ApprovalRequest, alice: User, expression: str, why: str
) -> None:
    approve(refund, alice, check(expression))

    assert f"“{expression}” cannot be checked: {why}" in str(refusal(refund))


def test_the_moment_of_spending_decides(refund: ApprovalRequest, alice: User) -> None:
    soon = clock.now() + timedelta(minutes=30)
    approve(refund, alice, check(f'now < timestamp("{soon:%Y-%m-%dT%H:%M:%SZ}")'))

    with clock.shifted(timedelta(minutes=31)):
        assert "does not hold: now is 20" in str(refusal(refund))
    with clock.shifted(timedelta(minutes=29)):
        assert consume(refund).action.status == Status.EXECUTING


def test_a_time_that_passes_under_the_lock_counts(
    refund: ApprovalRequest, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = clock.now() + timedelta(minutes=30)
    approve(refund, alice, check(f'now < timestamp("{soon:%Y-%m-%dT%H:%M:%SZ}")'))

    with ExitStack() as later:

        def wait(action: Action) -> None:
            later.enter_context(clock.shifted(timedelta(minutes=31)))

        monkeypatch.setattr(judgement, "blocked_now", wait)
        refusal(refund)


def test_the_refusal_is_on_record(refund: ApprovalRequest, alice: User) -> None:
    approve(refund, alice, check("params.amount <= 60"))
    refusal(refund)

    event = Event.objects.get(kind=Kind.CONSUME_REFUSED)
    assert event.data["code"] == "condition_not_met"
    assert "params.amount is 75" in event.data["why"]


def test_the_conditions_of_every_approver_must_hold(
    refund_rules: None, agent: Agent, alice: User, bob: User
) -> None:
    two = {"name": "Two", "groups": ["customer-service-managers"], "approvals": 2}
    rules.save(Subject.FLOW, {"name": "managers", "stages": [{**two, "timeout": "8h"}]})
    request = make_request(agent)
    approve(request, alice, check("params.amount <= 100"))
    approve(request, bob, check("params.amount <= 60"), check("params.amount < 1"))

    refused = refusal(request)
    assert [each.detail for each in refused.errors] == [
        "“params.amount <= 60” does not hold: params.amount is 75.",
        "“params.amount < 1” does not hold: params.amount is 75.",
    ]


def test_an_approval_that_no_longer_counts_asks_for_nothing(
    refund: ApprovalRequest, alice: User
) -> None:
    course = approve(refund, alice, check("params.amount <= 60"))
    assert course.checks()

    course.stages[0].lapsed = [alice.pk]
    assert (course.checks(), course.conditions()) == ([], [])


def test_what_was_spent_before_is_not_asked_again(
    refund: ApprovalRequest, alice: User
) -> None:
    approve(refund, alice, check(f'now < timestamp("{in_an_hour()}")'))
    consume(refund, idempotency_key="k1")

    with clock.shifted(timedelta(hours=2)):
        assert consume(refund, idempotency_key="k1").action.consumed_at


def in_an_hour() -> str:
    return f"{clock.now() + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"


def test_everything_else_is_refused_first(refund: ApprovalRequest, alice: User) -> None:
    with pytest.raises(NotApproved):
        consume(refund)
    approve(refund, alice, check("params.amount <= 60"))
    with pytest.raises(DigestMismatch):
        services.consume(refund.action_id, refund.action.agent, f"sha256:{'0' * 64}")
    stop = {"name": "stop", "actions": ["refund.*"], "decision": "BLOCK", "reason": ""}
    rules.save(Subject.POLICY, {**stop, "reason": "No refunds today."})

    with pytest.raises(BlockedNow):
        consume(refund)


# When it is given


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("params.amount <", "does not compile"),
        ("params.amount <= ", "(At column "),
        ("amount <= 60", "There is no 'amount' here: a condition may use action,"),
        ("history.refunds.count < 1", "There is no 'history.refunds.count' here"),
        ("resource.owner == 'x'", "A resource has type, id and sensitivity"),
        ("params.amount\n<= amount", "(At line 2, column 4.)"),
        ("1 + 1", "must be true or false"),
        ("", "does not compile"),
        ("x" * 2001, "at most 2,000 characters"),
        ("params.name == '\0'", "Remove U+0000"),
        ("params.name == '\ud800'", "Remove U+D800"),
    ],
)
def test_what_makes_no_sense_is_refused(
    refund: ApprovalRequest, alice: User, expression: str, words: str
) -> None:
    with pytest.raises(Invalid) as caught:
        approve(refund, alice, check("true"), check(expression))

    assert words in str(caught.value)
    assert caught.value.code in ("condition_invalid", "unsafe_text")
    assert caught.value.errors[0].path == "/checks/1"
    assert not Vote.objects.exists()


def test_there_is_a_limit(refund: ApprovalRequest, alice: User) -> None:
    with pytest.raises(Invalid, match="at most 10 conditions") as caught:
        approve(refund, alice, *[check(f"params.amount < {n}") for n in range(11)])

    assert caught.value.code == "too_many_conditions"
    approve(refund, alice, *[check(f"params.amount < {n}") for n in range(10)])


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"comment": "x" * 4001}, "too_long"),
        ({"conditions": ["x" * 4001]}, "too_long"),
        ({"conditions": ["Fine."] * 51}, "too_many_conditions"),
        ({"comment": "a\0b"}, "unsafe_text"),
        ({"conditions": ["a\ud800b"]}, "unsafe_text"),
        ({"conditions": ["Z" + "\u0301" * 9]}, "unsafe_text"),
        ({"checks": [check("true", "x" * 501)]}, "too_long"),
    ],
)
def test_words_that_cannot_be_kept_are_refused(
    refund: ApprovalRequest, alice: User, said: dict[str, Any], code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        services.decide(refund, alice, APPROVE, digest=refund.digest, **said)

    assert caught.value.code == code
    assert not Vote.objects.exists()


def test_only_an_approval_carries_conditions(
    refund: ApprovalRequest, alice: User
) -> None:
    said = {"digest": refund.digest, "checks": [check("true")]}
    with pytest.raises(Invalid) as caught:
        services.decide(refund, alice, Vote.Verdict.REJECT, **said)  # type: ignore[arg-type]

    assert caught.value.code == "conditions_not_possible"


def test_hidden_characters_are_spelled_out_in_the_refusal(
    refund: ApprovalRequest, alice: User
) -> None:
    approve(refund, alice, check("params.amount <= 60", "At most \u202e06$\nOK."))

    assert "“At most ⟨U+202E⟩06$⟨U+000A⟩OK.” does not hold" in str(refusal(refund))


def test_the_agent_sees_them_as_sentences_and_as_data(
    refund: ApprovalRequest, alice: User, api: AgentClient
) -> None:
    services.decide(
        refund,
        alice,
        APPROVE,
        digest=refund.digest,
        conditions=["Ask for a photo."],
        checks=[check(" params.amount <= 75 "), check("risk < 90", "Low risk.")],
    )

    approval = api.get(f"/actions/{refund.action_id}").json()["approval"]
    data = [
        {"text": "params.amount <= 75", "expression": "params.amount <= 75"},
        {"text": "Low risk.", "expression": "risk < 90"},
    ]
    sentences = ["Ask for a photo.", "params.amount <= 75", "Low risk."]
    assert (approval["conditions"], approval["checks"]) == (sentences, data)
    said = approval["decisions"][0]
    assert (said["conditions"], said["checks"]) == (sentences, data)


def test_the_agent_is_told_why(
    refund: ApprovalRequest, alice: User, api: AgentClient
) -> None:
    approve(refund, alice, check("params.amount <= 60"))

    body = {"digest": refund.digest}
    answer = api.post(f"/actions/{refund.action_id}/consume", body)
    assert (answer.status_code, answer.json()["code"]) == (403, "condition_not_met")
    assert "params.amount is 75" in answer.json()["detail"]


def test_nobody_needs_the_rules_for_an_approval_without_conditions(
    refund: ApprovalRequest, alice: User
) -> None:
    approve(refund, alice)

    assert conditions.unmet(refund.action, [], NOON) == []


# Before a time


@pytest.mark.parametrize(
    ("zone", "said", "moment", "text"),
    [
        ("UTC", "18:00", "2026-11-25T18:00:00Z", "18:00 (UTC) on 25 Nov 2026."),
        ("UTC", " 8:05 ", "2026-11-26T08:05:00Z", "08:05 (UTC) on 26 Nov 2026."),
        ("UTC", "12:00", "2026-11-26T12:00:00Z", "12:00 (UTC) on 26 Nov 2026."),
        (
            "Europe/Berlin",
            "18:00",
            "2026-11-25T17:00:00Z",
            "18:00 (Europe/Berlin) on 25 Nov 2026.",
        ),
        (
            "Asia/Tokyo",
            "20:00",
            "2026-11-26T11:00:00Z",
            "20:00 (Asia/Tokyo) on 26 Nov 2026.",
        ),
        (
            "Europe/Berlin",
            "2027-07-01 18:00",
            "2027-07-01T16:00:00Z",
            "18:00 (Europe/Berlin) on 1 Jul 2027.",
        ),
        (
            "Europe/Berlin",
            "2027-10-31T02:30",
            "2027-10-31T00:30:00Z",
            "02:30 (Europe/Berlin) on 31 Oct 2027.",
        ),
    ],
)
def test_before_is_the_next_such_time_where_people_are(
    zone: str, said: str, moment: str, text: str
) -> None:
    with override_settings(TIME_ZONE=zone):
        found = conditions.before(said, NOON)

    assert found["expression"] == f'now < timestamp("{moment}")'
    assert found["text"] == f"Only before {text}"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "soon",
        "25:00",
        "18",
        "18:00:00",
        "\u0661\u0668:\u0660\u0660",
        "2026-13-01 18:00",
        "2026-11-24 18:00",
        "0001-01-01 00:00",
        "9999-12-31 23:59",
        "2027-03-28 02:30",
    ],
)
def test_before_no_such_time(said: str) -> None:
    zone = "America/Los_Angeles" if said[:1] == "9" else "Europe/Berlin"
    with override_settings(TIME_ZONE=zone), pytest.raises(Invalid) as caught:
        conditions.before(said, NOON)

    assert caught.value.code == "time_invalid"


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("params.amount <= 60", True),
        ("  now < timestamp('2026-11-25T18:00:00Z'). ", True),
        ("risk < 50", True),
        ("Ask for a photo.", False),
        ("photo", False),
        ("60", False),
        ("true", False),
        ("", False),
    ],
)
def test_an_expression_is_told_from_a_sentence(sentence: str, expected: bool) -> None:
    assert conditions.reads_as_check(sentence) == expected


# Parameters that a reviewer proposes


def test_a_proposal_goes_back_with_the_request_for_changes(
    refund: ApprovalRequest, alice: User
) -> None:
    propose(refund, alice, amount=60)

    assert Vote.objects.get().proposed_params == {**refund.params, "amount": 60}


@pytest.mark.parametrize(
    ("params", "code", "path"),
    [
        ({"amount": -1}, "schema", "/proposed_params/amount"),
        ({"amount": 1e16}, "integer_out_of_range", "/proposed_params/amount"),
        ({"amount": float("nan")}, "number_not_finite", "/proposed_params/amount"),
        ({"note": "a\0b"}, "control_character", "/proposed_params/note"),
        ({"note": "a\ud800b"}, "invalid_unicode", "/proposed_params/note"),
        ({"note": "Z" + "\u0301" * 9}, "unsafe_text", "/proposed_params/note"),
        ({"amount": 75.0}, "proposal_unchanged", "/proposed_params"),
    ],
)
def test_a_proposal_must_be_what_the_agent_could_have_sent(
    refund: ApprovalRequest, alice: User, params: dict[str, Any], code: str, path: str
) -> None:
    with pytest.raises(Invalid) as caught:
        propose(refund, alice, **params)

    assert caught.value.code == code
    assert caught.value.errors[0].path == path
    assert not Vote.objects.exists()


@pytest.mark.parametrize("verdict", [APPROVE, Vote.Verdict.REJECT])
def test_only_a_request_for_changes_carries_a_proposal(
    refund: ApprovalRequest, alice: User, verdict: Vote.Verdict
) -> None:
    with pytest.raises(Invalid) as caught:
        services.decide(
            refund, alice, verdict, digest=refund.digest, proposed_params={"a": 1}
        )

    assert caught.value.code == "proposal_not_possible"
