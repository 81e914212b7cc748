"""Deciding from a terminal: the rules of the console, and a sentence either way."""

from __future__ import annotations

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
