"""Rules change while something waits: what would happen now, and judging again."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from approvals import drift, services
from approvals.course import Course
from approvals.errors import Changed, NotAllowed, NothingChanged, NotOpen
from approvals.jobs import check_drift
from approvals.models import ApprovalRequest, RequestGroupPermission, Vote
from governance import clock
from governance.errors import Refused
from governance.models import Action, Agent, Event, User
from policies import engine
from policies import services as rules
from policies.bodies import Subject
from tests.approvals.factories import make_request
from tests.approvals.test_races import at_once, decide, meet_in
from tests.cast import REFUND, make_user
from tests.pages import permit

APPROVE, CHANGES = Vote.Verdict.APPROVE, Vote.Verdict.REQUEST_CHANGES


def policy(name: str = "newer", **fields: Any) -> None:
    body = {"name": name, "actions": ["refund.*"], "decision": "BLOCK", "reason": "."}
    rules.save(Subject.POLICY, {**body, **fields})


def ask_finance_too() -> None:
    policy(decision="REQUIRE_APPROVAL", flow="finance")


def ask_managers(approvals: int) -> None:
    ask("managers", approvals, "customer-service-managers")


def ask(flow: str, approvals: int, group: str = "finance") -> None:
    """Let one stage of one group be all that a flow of this name asks for."""
    name = {"managers": "Manager"}.get(flow, "Finance")
    stage = {"name": name, "groups": [group], "approvals": approvals, "timeout": "4h"}
    rules.save(Subject.FLOW, {"name": flow, "stages": [stage]})


def found(request: ApprovalRequest) -> Any:
    check_drift()
    request.refresh_from_db()
    return request.drift


@pytest.fixture
def dana(db: None) -> User:
    """Dana may have what waits judged again, and decides nothing."""
    user = make_user("dana")
    permit(user, "approvals.rejudge_approvalrequest")
    return user


# What would happen now


@pytest.mark.django_db
def test_what_waits_under_the_rules_of_now_is_not_looked_at(
    refund: ApprovalRequest,
) -> None:
    assert check_drift() == 0
    assert found(refund) is None


@pytest.mark.django_db
def test_it_would_be_blocked_now(refund: ApprovalRequest) -> None:
    policy()

    assert found(refund) == {
        "decision": "BLOCK",
        "policies": ["newer"],
        "groups": [],
    }
    assert list(ApprovalRequest.objects.drifted()) == [refund]


@pytest.mark.django_db
def test_it_would_need_others_now(refund: ApprovalRequest) -> None:
    ask_finance_too()

    drifted = found(refund)
    assert drifted["decision"] == "REQUIRE_APPROVAL"
    assert drifted["groups"] == ["customer-service-managers", "finance"]


@pytest.mark.django_db
def test_it_would_be_allowed_now(refund: ApprovalRequest) -> None:
    rules.retire("refunds-50-to-200")
    policy(decision="ALLOW")

    assert found(refund)["decision"] == "ALLOW"


@pytest.mark.django_db
def test_it_would_need_more_people_now(refund: ApprovalRequest) -> None:
    ask_managers(2)

    assert found(refund)["groups"] == ["customer-service-managers"]


@pytest.mark.django_db
def test_a_change_that_asks_the_same_is_no_drift(refund: ApprovalRequest) -> None:
    policy(actions=["mail.send"])

    assert found(refund) == {}
    assert refund.drift_revision == refund.rules_revision + 1
    assert check_drift() == 0


@pytest.mark.django_db
def test_a_change_that_is_taken_back_is_none(refund: ApprovalRequest) -> None:
    policy()
    assert found(refund)
    rules.retire("newer")

    assert found(refund) == {}


@pytest.mark.django_db
def test_history_alone_is_no_drift(refund_rules: None, agent: Agent) -> None:
    # A second refund of the customer: by now the first would need a manager as well.
    first = make_request(agent, 500)
    make_request(agent, 75)
    policy(actions=["mail.send"])

    assert found(first) == {}


@pytest.mark.django_db
def test_escalation_alone_is_no_drift(refund: ApprovalRequest) -> None:
    policy(actions=["mail.send"])
    with clock.shifted(timedelta(hours=5)):
        services.settle(refund.action_id)
        assert len(refund.stages.get().groups) == 2

        assert found(refund) == {}


@pytest.mark.django_db
def test_a_new_name_of_a_group_is_no_drift(
    refund: ApprovalRequest, managers: Group
) -> None:
    managers.name = "people"
    managers.save()
    policy(actions=["mail.send"])

    assert found(refund) == {}


@pytest.mark.django_db
def test_a_lookback_that_is_gone_is_seen_through(
    refund_rules: None, agent: Agent
) -> None:
    request = make_request(agent, 500)
    rules.retire("repeat-refund")
    rules.remove(Subject.RISK_FACTOR, "repeat-customer")
    policy(when="params.amount > 400")
    rules.remove(Subject.LOOKBACK, "customer_refunds")

    assert found(request)["decision"] == "BLOCK"


@pytest.mark.django_db
def test_a_bad_row_holds_no_other_up(
    refund: ApprovalRequest,
    agent: Agent,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = make_request(agent, 80)
    policy()
    told = drift._Comparison.drift_of

    def fail_for_one(self: Any, request: ApprovalRequest, at: Any) -> Any:
        if request == refund:
            raise ValueError("This row is bad.")
        return told(self, request, at)

    monkeypatch.setattr(drift._Comparison, "drift_of", fail_for_one)

    assert check_drift() == 2
    assert check_drift() == 0
    assert found(refund) is None
    assert found(other)
    assert len(caplog.records) == 1


@pytest.mark.django_db
def test_it_writes_nothing_else(refund: ApprovalRequest) -> None:
    policy()
    events = Event.objects.count()
    before = Action.objects.values().get()
    check_drift()

    assert Action.objects.values().get() == before
    assert Event.objects.count() == events


@pytest.mark.django_db
def test_what_is_blocked_by_now_cannot_be_consumed(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    decide(refund, alice, APPROVE)
    policy()

    with pytest.raises(Refused) as refusal:
        services.consume(refund.action_id, agent, refund.digest)
    assert refusal.value.code == "blocked_now"


# Judging again


@pytest.mark.django_db
def test_the_same_parameters_become_a_new_revision(
    refund: ApprovalRequest, dana: User
) -> None:
    ask_finance_too()
    course = services.rejudge(refund, dana)

    asked = course.request
    assert asked
    assert asked.revision == course.action.revision == 2
    assert asked.digest == refund.digest
    assert course.action.status == "pending"
    assert [stage.name for stage in asked.stages.all()] == ["Manager", "Finance"]
    refund.refresh_from_db()
    assert refund.outcome == "superseded"
    assert {stage.state for stage in refund.stages.all()} == {"closed"}
    assert not RequestGroupPermission.objects.filter(content_object=refund).exists()


@pytest.mark.django_db
def test_it_may_be_blocked(refund: ApprovalRequest, dana: User) -> None:
    policy()
    course = services.rejudge(refund, dana)

    assert (course.action.status, course.request) == ("blocked", None)
    assert course.action.settled_at
    assert course.action.deadline_at is course.action.due_at is None
    assert not ApprovalRequest.objects.open().exists()
    assert not RequestGroupPermission.objects.exists()


@pytest.mark.django_db
def test_it_may_be_allowed(refund: ApprovalRequest, agent: Agent, dana: User) -> None:
    rules.retire("refunds-50-to-200")
    policy(decision="ALLOW")
    action = services.rejudge(refund, dana).action

    assert action.status == "allowed"
    spent = services.consume(action.pk, agent, action.digest)
    assert spent.action.status == "executing"


@pytest.mark.django_db
def test_it_is_a_step_on_record(refund: ApprovalRequest, dana: User) -> None:
    policy()
    services.rejudge(refund, dana)
    event = Event.objects.get(kind="judged_again")

    assert event.actor_name == "dana"
    changes = event.data["changes"]
    assert changes["decision"] == {"old": "REQUIRE_APPROVAL", "new": "BLOCK"}
    assert changes["policies"] == {"old": ["refunds-50-to-200"], "new": ["newer"]}
    assert changes["groups"] == {"old": ["customer-service-managers"], "new": []}
    assert event.data["trace"]["policies"]
    kinds = Event.objects.order_by("id").values_list("kind", flat=True)
    assert [k for k in kinds if k not in ("policy_changed", "user_changed")][-3:] == [
        "stage_closed",
        "judged_again",
        "blocked",
    ]


@pytest.mark.django_db
def test_votes_never_carry_over(
    refund_rules: None, agent: Agent, alice: User, carol: User, dana: User
) -> None:
    ask_managers(2)
    request = make_request(agent)
    decide(request, alice, APPROVE)
    ask_managers(1)
    ask_finance_too()
    asked = services.rejudge(request, dana).request

    assert asked
    assert [stage.state for stage in asked.stages.all()] == ["open", "waiting"]
    with pytest.raises(NotAllowed):
        decide(asked, carol, APPROVE)
    assert decide(asked, alice, APPROVE).action.status == "pending"
    assert decide(asked, carol, APPROVE).action.status == "approved"


@pytest.mark.django_db
def test_it_does_not_count_itself(refund_rules: None, agent: Agent, dana: User) -> None:
    request = make_request(agent, 500)
    ask("finance", 2)
    asked = services.rejudge(request, dana).request

    assert asked
    assert [stage.name for stage in asked.stages.all()] == ["Finance"]


@pytest.mark.django_db
def test_it_takes_the_permission(refund: ApprovalRequest, alice: User) -> None:
    events = Event.objects.count()
    with pytest.raises(NotAllowed):
        services.rejudge(refund, alice)

    assert Event.objects.count() == events
    assert Action.objects.get().revision == 1


@pytest.mark.django_db
def test_only_what_waits_is_judged_again(
    refund: ApprovalRequest, alice: User, dana: User
) -> None:
    decide(refund, alice, APPROVE)

    with pytest.raises(NotOpen):
        services.rejudge(refund, dana)


@pytest.mark.django_db
def test_silence_speaks_first(refund: ApprovalRequest, dana: User) -> None:
    with clock.shifted(timedelta(hours=9)), pytest.raises(Refused) as refusal:
        services.rejudge(refund, dana)

    assert refusal.value.code == "expired"
    assert Action.objects.get().status == "expired"


@pytest.mark.django_db
def test_a_former_request_is_not_judged_again(
    refund: ApprovalRequest, dana: User
) -> None:
    ask_finance_too()
    services.rejudge(refund, dana)

    with pytest.raises(Changed):
        services.rejudge(refund, dana)


@pytest.mark.django_db
def test_the_agents_patience_is_what_it_was(
    refund_rules: None, agent: Agent, alice: User, dana: User
) -> None:
    proposal = services.Proposal("refund.create", REFUND, expires_in=600)
    course, _ = services.submit(agent, proposal)
    end = course.action.expires_at
    assert course.request
    assert end
    ask_finance_too()
    with clock.shifted(timedelta(minutes=5)):
        asked = services.rejudge(course.request, dana).request
        assert asked
        assert Action.objects.get().expires_at == end
        assert Action.objects.get().deadline_at == end

        decide(asked, alice, CHANGES)
        services.revise(course.action.pk, agent, {"params": {**REFUND, "amount": 60}})
        later = Action.objects.get().expires_at
        assert later
        assert later - clock.now() > timedelta(minutes=9, seconds=50)


@pytest.mark.django_db
@pytest.mark.parametrize("touched", [False, True], ids=["same rules", "other rules"])
def test_what_would_be_asked_the_same_is_left_as_it_is(
    refund: ApprovalRequest, dana: User, touched: bool
) -> None:
    """It would take back a vote and move the deadline, for nothing."""
    if touched:
        policy(actions=["mail.send"])
    before = Action.objects.get().deadline_at

    with clock.shifted(timedelta(hours=1)), pytest.raises(NothingChanged):
        services.rejudge(refund, dana)
    after = Action.objects.get()
    assert (after.revision, after.deadline_at) == (1, before)


@pytest.mark.django_db
def test_it_is_not_in_the_way_of_drift(refund: ApprovalRequest, dana: User) -> None:
    ask_finance_too()
    assert found(refund)
    asked = services.rejudge(refund, dana).request

    assert asked
    assert found(asked) is None
    assert not ApprovalRequest.objects.drifted().exists()


@pytest.mark.django_db(transaction=True)
def test_deciding_and_judging_again_cannot_both_happen(
    refund: ApprovalRequest, alice: User, dana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy()
    meet_in(monkeypatch, engine, "judge")
    meet_in(monkeypatch, Course, "vote")
    decided, judged = at_once(
        lambda: decide(refund, alice, APPROVE), lambda: services.rejudge(refund, dana)
    )

    assert isinstance(decided, Course) != isinstance(judged, Course)
    action = Action.objects.get()
    assert action.status == ("approved" if isinstance(decided, Course) else "blocked")
    kinds = set(Event.objects.values_list("kind", flat=True))
    assert ("approved" in kinds) != ("judged_again" in kinds)


@pytest.mark.django_db(transaction=True)
def test_judging_again_twice_at_once_is_one_step(
    refund: ApprovalRequest, dana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_finance_too()
    meet_in(monkeypatch, engine, "judge")
    outcomes = at_once(*[lambda: services.rejudge(refund, dana)] * 2)

    assert sum(isinstance(each, Course) for each in outcomes) == 1
    assert Event.objects.filter(kind="judged_again").count() == 1
    assert Action.objects.get().revision == 2


# The command


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("rejudge", *arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_takes_ids(refund: ApprovalRequest, dana: User) -> None:
    policy()
    said = run(str(refund.action_id), "--as", "dana")

    assert "blocked" in said
    assert Action.objects.get().status == "blocked"


@pytest.mark.django_db
def test_the_command_takes_all_that_has_drifted(
    refund: ApprovalRequest, agent: Agent, dana: User
) -> None:
    make_request(agent, 500)
    policy(when="params.amount < 100")
    said = run("--drifted", "--as", "dana")

    assert "1 judged again" in said
    assert sorted(Action.objects.values_list("status", flat=True)) == [
        "blocked",
        "pending",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "arguments", [[], ["--drifted", "x"], ["nonsense"], ["--drifted", "--as", "nobody"]]
)
def test_the_command_says_what_is_wrong(dana: User, arguments: list[str]) -> None:
    if "--as" not in arguments:
        arguments = [*arguments, "--as", "dana"]
    with pytest.raises(CommandError):
        run(*arguments)


@pytest.mark.django_db
def test_the_command_refuses_as_the_console_does(
    refund: ApprovalRequest, alice: User
) -> None:
    with pytest.raises(CommandError, match="1 refused"):
        run(str(refund.action_id), "--as", "alice")
