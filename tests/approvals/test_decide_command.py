"""Deciding from a terminal: the rules of the console, and a sentence either way."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from approvals.models import ApprovalRequest, Vote
from governance.models import Action, Agent, Status, User
from policies import services
from policies.bodies import Subject
from tests.approvals.factories import make_request


def decide(request: ApprovalRequest, verdict: str, person: str, *more: str) -> str:
    out = StringIO()
    arguments = [str(request.action_id), verdict, "--as", person, *more]
    call_command("decide", *arguments, stdout=out)
    return out.getvalue()


def test_it_approves_with_a_comment_and_conditions(
    refund: ApprovalRequest, alice: User
) -> None:
    options = ["--comment", "Fine.", "--condition", "Ask for a photo.", "--condition"]

    said = decide(refund, "approve", "alice", *options, "Only once.")

    assert said.startswith("alice approved Refund")
    assert said.endswith("It is approved.\n")
    vote = Vote.objects.get()
    assert (vote.comment, vote.via) == ("Fine.", "cli")
    assert vote.conditions == ["Ask for a photo.", "Only once."]


@pytest.mark.parametrize(
    ("verdict", "status"),
    [("reject", Status.REJECTED), ("request-changes", Status.CHANGES_REQUESTED)],
)
def test_it_says_no(
    refund: ApprovalRequest, alice: User, verdict: str, status: Status
) -> None:
    decide(refund, verdict, "alice", "--comment", "Too much.")

    assert Action.objects.get().status == status


def test_it_says_that_others_are_still_asked(
    refund_rules: None, agent: Agent, carol: User
) -> None:
    stage = {"name": "Finance", "groups": ["finance"], "approvals": 2, "timeout": "8h"}
    services.save(Subject.FLOW, {"name": "finance", "stages": [stage]})
    request = make_request(agent, amount=500)

    assert "It still waits for others." in decide(request, "approve", "carol")


def test_it_takes_the_digest_that_was_shown(
    refund: ApprovalRequest, alice: User
) -> None:
    with pytest.raises(CommandError, match="not what is waiting now"):
        decide(refund, "approve", "alice", "--digest", "sha256:0")

    decide(refund, "approve", "alice", "--digest", refund.digest)
    assert Action.objects.get().status == Status.APPROVED


def test_the_same_rules_hold_as_in_the_console(
    refund: ApprovalRequest, charlie: User
) -> None:
    with pytest.raises(CommandError, match="not among the people asked"):
        decide(refund, "approve", "charlie")

    assert not Vote.objects.exists()


def test_changes_may_be_asked_for_without_words(
    refund: ApprovalRequest, alice: User
) -> None:
    decide(refund, "request-changes", "alice")

    assert Action.objects.get().status == Status.CHANGES_REQUESTED


def test_it_does_not_know_everybody(refund: ApprovalRequest) -> None:
    with pytest.raises(CommandError, match="There is no user named nobody"):
        decide(refund, "approve", "nobody")


@pytest.mark.parametrize("pk", ["01939c9e-0000-7000-8000-000000000000", "x", "12", ""])
def test_it_does_not_know_every_id(alice: User, pk: str) -> None:
    with pytest.raises(CommandError, match=f"^({pk} is not an id|Nobody is asked)"):
        call_command("decide", pk, "approve", "--as", "alice")


def test_it_takes_conditions_that_are_checked(
    refund: ApprovalRequest, alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    decide(refund, "approve", "alice", "--check", "risk < 99", "--before", "23:59")

    first, second = Vote.objects.get().checks
    assert first == {"text": "risk < 99", "expression": "risk < 99"}
    assert second["text"].startswith("Only before 23:59 (UTC) on ")
    assert capsys.readouterr().err == ""


def test_it_warns_of_what_does_not_hold_now(
    refund: ApprovalRequest, alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    decide(refund, "approve", "alice", "--check", "params.amount <= 60")

    assert capsys.readouterr().err == (
        "Warning: This condition does not hold for what waits now: "
        "“params.amount <= 60” does not hold: params.amount is 75.\n"
    )
    assert Action.objects.get().status == Status.APPROVED


def test_it_warns_of_a_sentence_that_looks_like_a_check(
    refund: ApprovalRequest, alice: User, capsys: pytest.CaptureFixture[str]
) -> None:
    decide(refund, "approve", "alice", "--condition", "params.amount <= 60")

    assert "which nobody checks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--check", "amount <= 60"], "There is no 'amount' here"),
        (["--before", "noon"], "Write a time like 18:00"),
        (["--propose", '{"amount": 60}'], "Only a request for changes can propose"),
    ],
)
def test_it_refuses_conditions_that_make_no_sense(
    refund: ApprovalRequest, alice: User, options: list[str], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        decide(refund, "approve", "alice", *options)

    assert not Vote.objects.exists()


def test_it_proposes_parameters(refund: ApprovalRequest, alice: User) -> None:
    params = {**refund.params, "amount": 60}
    decide(refund, "request-changes", "alice", "--propose", json.dumps(params))

    assert Vote.objects.get().proposed_params == params


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The proposal is empty"),
        ("{", "not valid JSON at line 1"),
        ("[]", "must be a JSON object"),
        ('{"a": 1, "a": 2}', "Send the key"),
        ('{"a": 1e16}', "1e16"),
        ('{"amount": 60}', "is a required property"),
    ],
)
def test_it_refuses_parameters_that_no_agent_could_send(
    refund: ApprovalRequest, alice: User, text: str, words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        decide(refund, "request-changes", "alice", "--propose", text)

    assert not Vote.objects.exists()
