"""decide: who may say what, and what a refusal leaves behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from approvals import services
from approvals.api.representation import action_data
from approvals.errors import AlreadyVoted, Changed, Expired, NotAllowed, NotOpen
from approvals.models import ApprovalRequest, RequestGroupPermission, Stage, Vote
from approvals.services import Proposal, storage
from governance import clock
from governance.errors import Invalid, Refused
from governance.models import Action, Agent, Event, Status, User
from policies import services as rules
from policies.bodies import Subject
from tests.cast import REFUND, make_user

pytestmark = pytest.mark.django_db
APPROVE, REJECT = Vote.Verdict.APPROVE, Vote.Verdict.REJECT
OTHER = "sha256:" + "0" * 64


def ask(agent: Agent, *stages: dict[str, Any]) -> ApprovalRequest:
    """Submit something that these stages must agree to."""
    flow = {"name": "f", "stages": [{"timeout": "4h", **stage} for stage in stages]}
    rules.save(Subject.FLOW, flow)
    policy = {"actions": ["*"], "decision": "REQUIRE_APPROVAL", "flow": "f"}
    rules.save(Subject.POLICY, {"name": "p", "reason": "Ask.", **policy})
    course, _ = services.submit(agent, Proposal("refund.create", dict(REFUND)))
    assert course.request
    return course.request


@pytest.fixture
def refund(agent: Agent, managers: Group) -> ApprovalRequest:
    return ask(agent, {"name": "Manager", "groups": [managers.name]})


def decide(
    request: ApprovalRequest, who: User, verdict: Vote.Verdict = APPROVE, **more: Any
) -> Action:
    given = {"digest": request.digest, **more}
    return services.decide(request, who, verdict, **given).action


def states(request: ApprovalRequest) -> list[str]:
    stages = Stage.objects.filter(request=request).order_by("position")
    return list(stages.values_list("state", flat=True))


def asked_groups(request: ApprovalRequest) -> set[str]:
    rows = RequestGroupPermission.objects.filter(content_object=request)
    return set(rows.values_list("group__name", flat=True))


def test_one_person_of_the_group_is_enough(
    refund: ApprovalRequest, alice: User
) -> None:
    assert decide(refund, alice, comment="Fine.").status == Status.APPROVED
    assert asked_groups(refund) == set()


@pytest.mark.parametrize("who", ["charlie", "carol", "root", "inactive"])
def test_nobody_else_may(
    refund: ApprovalRequest, managers: Group, carol: User, charlie: User, who: str
) -> None:
    people = {
        "charlie": charlie,
        "carol": carol,
        "root": make_user("root", is_superuser=True),
        "inactive": make_user("inactive", managers, is_active=False),
    }
    with pytest.raises(NotAllowed):
        decide(refund, people[who])

    # A refusal leaves no trace but the record of itself
    assert not Vote.objects.exists()
    assert Action.objects.get().status == Status.PENDING
    assert Event.objects.get(kind="decision_refused").data["code"] == "not_allowed"


def test_the_agents_owner_never_decides(
    agent: Agent, refund: ApprovalRequest, alice: User
) -> None:
    agent.owner = alice
    agent.save()

    with pytest.raises(NotAllowed, match="own this agent"):
        decide(refund, alice)


def test_a_person_decides_on_what_they_saw(
    refund: ApprovalRequest, alice: User
) -> None:
    with pytest.raises(Changed):
        decide(refund, alice, digest=OTHER)


def test_a_request_of_an_earlier_revision_is_closed_to_everybody(
    refund: ApprovalRequest, alice: User
) -> None:
    Action.objects.update(revision=2)

    with pytest.raises(Changed):
        decide(refund, alice)


def test_the_same_click_twice_is_one_vote(refund: ApprovalRequest, alice: User) -> None:
    first = decide(refund, alice)
    again = decide(refund, alice)

    assert first.status == again.status == Status.APPROVED
    assert Vote.objects.count() == 1


@pytest.mark.parametrize(
    "more",
    [
        {"conditions": ["Ask for the mug back."]},
        {"checks": [{"expression": "params.amount <= 60", "text": ""}]},
    ],
    ids=lambda more: next(iter(more)),
)
def test_what_was_said_gets_no_further_conditions(
    refund: ApprovalRequest, alice: User, more: dict[str, Any]
) -> None:
    decide(refund, alice)

    with pytest.raises(AlreadyVoted, match="nothing can be added"):
        decide(refund, alice, **more)
    assert Vote.objects.get().sentences() == []


def test_whoever_comes_second_is_told_who_came_first(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    decide(refund, alice)

    with pytest.raises(NotOpen, match="approved already: alice decided at 20"):
        decide(refund, bob, REJECT)


def test_after_the_deadline_it_is_too_late_though_no_worker_ran(
    refund: ApprovalRequest, alice: User
) -> None:
    with clock.shifted(timedelta(hours=4, seconds=1)), pytest.raises(Expired):
        decide(refund, alice)

    assert Action.objects.get().status == Status.EXPIRED


def test_the_deadline_is_judged_by_the_statement_itself(
    refund: ApprovalRequest, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock that the service read is slow: only the database's own can refuse now.
    slow = clock.now()
    Action.objects.update(deadline_at=slow + timedelta(microseconds=1))
    monkeypatch.setattr(clock, "now", lambda: slow)

    with pytest.raises(Refused):
        decide(refund, alice)
    assert not Vote.objects.exists()


def test_one_person_counts_once_in_a_revision(
    agent: Agent, managers: Group, alice: User, bob: User
) -> None:
    request = ask(agent, {"name": "Two", "groups": [managers.name], "approvals": 2})
    assert decide(request, alice).status == Status.PENDING
    with pytest.raises(AlreadyVoted):
        decide(request, alice, REJECT)

    assert decide(request, bob).status == Status.APPROVED


def test_stages_are_asked_in_order(
    agent: Agent, managers: Group, finance: Group, alice: User, carol: User
) -> None:
    request = ask(
        agent,
        {"name": "Manager", "groups": [managers.name]},
        {"name": "Finance", "groups": [finance.name]},
    )
    assert (states(request), asked_groups(request)) == (
        ["open", "waiting"],
        {managers.name},
    )
    with pytest.raises(NotAllowed):
        decide(request, carol)

    assert decide(request, alice).status == Status.PENDING
    assert asked_groups(request) == {finance.name}
    assert decide(request, carol).status == Status.APPROVED


def test_stages_of_one_step_are_asked_side_by_side(
    agent: Agent, managers: Group, finance: Group, alice: User, carol: User
) -> None:
    request = ask(
        agent,
        {"name": "Manager", "groups": [managers.name], "step": 1},
        {"name": "Finance", "groups": [finance.name], "step": 1},
    )
    assert decide(request, carol).status == Status.PENDING
    assert states(request) == ["open", "approved"]
    assert asked_groups(request) == {managers.name}

    assert decide(request, alice).status == Status.APPROVED


def test_two_groups_of_one_stage_count_together(
    agent: Agent, managers: Group, finance: Group, alice: User, carol: User
) -> None:
    groups = [managers.name, finance.name]
    request = ask(agent, {"name": "Both", "groups": groups, "approvals": 2})

    assert decide(request, alice).status == Status.PENDING
    assert decide(request, carol).status == Status.APPROVED


def test_a_right_lost_since_counts_no_more_at_the_last_vote(
    agent: Agent, managers: Group, finance: Group, alice: User, bob: User, carol: User
) -> None:
    request = ask(
        agent,
        {"name": "Manager", "groups": [managers.name]},
        {"name": "Finance", "groups": [finance.name]},
    )
    decide(request, alice)
    alice.groups.clear()

    assert decide(request, carol).status == Status.PENDING
    assert states(request) == ["open", "approved"]
    assert decide(request, bob).status == Status.APPROVED


def test_silence_is_saved_once_however_often_it_is_settled(
    refund: ApprovalRequest,
) -> None:
    with clock.shifted(timedelta(hours=5)):
        for _ in range(3):
            services.settle(refund.action_id)

    assert Action.objects.get().status == Status.EXPIRED
    assert Event.objects.filter(kind="expired").count() == 1


def test_escalation_opens_it_to_further_people(
    agent: Agent, managers: Group, finance: Group, carol: User
) -> None:
    request = ask(
        agent,
        {
            "name": "Manager",
            "groups": [managers.name],
            "on_timeout": "escalate",
            "escalate_to": [finance.name],
        },
    )
    with clock.shifted(timedelta(hours=4, minutes=1)):
        # No worker has run: deciding alone makes the escalation take effect.
        assert decide(request, carol).status == Status.APPROVED


def test_silence_that_approves_is_the_systems_decision(
    agent: Agent, managers: Group
) -> None:
    terms = {"on_timeout": "approve", "auto_approve_max_risk": 50}
    request = ask(agent, {"name": "Manager", "groups": [managers.name], **terms})
    with clock.shifted(timedelta(hours=4, minutes=1)):
        course = services.settle(request.action_id)

    assert course.action.status == Status.APPROVED
    vote = Vote.objects.get()
    assert (vote.by, vote.via, vote.person) == ("system", "system", None)


def test_conditions_come_with_an_approval_only(
    refund: ApprovalRequest, alice: User
) -> None:
    with pytest.raises(Invalid, match="Only an approval"):
        decide(refund, alice, REJECT, conditions=["x"])
    with pytest.raises(Invalid, match="under 4000"):
        decide(refund, alice, comment="x" * 4001)

    decide(refund, alice, conditions=[" Today. ", ""])
    assert ApprovalRequest.objects.get().conditions == ["Today."]


def test_a_stage_nobody_could_satisfy_is_announced_at_once(
    agent: Agent, managers: Group
) -> None:
    request = ask(agent, {"name": "Manager", "groups": [managers.name]})

    said = Event.objects.get(kind="unreachable").data
    assert (said["stage"], said["needed"], said["able"]) == ("Manager", 1, 0)
    assert storage.read(request.action_id).action.status == Status.PENDING


def test_who_is_needed_twice_is_too_few(
    agent: Agent, managers: Group, alice: User
) -> None:
    """One person counts once in a revision: alone, alice cannot satisfy both."""
    stages = [{"name": name, "groups": [managers.name]} for name in ("First", "Second")]
    ask(agent, *stages)

    said = Event.objects.get(kind="unreachable").data
    assert (said["stage"], said["needed"], said["able"]) == ("Second", 1, 0)


def test_a_stale_copy_is_not_trusted(
    refund: ApprovalRequest, alice: User, bob: User
) -> None:
    stale = ApprovalRequest.objects.get()
    decide(refund, alice, REJECT)

    assert stale.closed_at is None
    with pytest.raises(NotOpen):
        decide(stale, bob)


def test_an_approval_that_counts_no_more_is_not_reported(
    agent: Agent, managers: Group, alice: User, bob: User
) -> None:
    request = ask(agent, {"name": "Two", "groups": [managers.name], "approvals": 2})
    decide(request, alice)
    alice.groups.clear()
    decide(request, bob)

    course = storage.read(request.action_id)
    assert course.action.status == Status.PENDING
    assert [vote.by for vote in course.approvers(course.stages[0])] == ["bob"]


def test_a_person_of_two_groups_is_not_used_up_where_another_would_do(
    agent: Agent, managers: Group, finance: Group, alice: User
) -> None:
    both = make_user("both", managers, finance)
    request = ask(
        agent,
        {"name": "Manager", "groups": [managers.name], "step": 1},
        {"name": "Finance", "groups": [finance.name], "step": 1},
    )
    # Only this person could ever speak for finance.
    decide(request, both)
    assert states(request) == ["open", "approved"]

    assert decide(request, alice).status == Status.APPROVED


# Where several must reject, and several flows ask


def test_where_two_must_reject_the_second_settles_it(
    agent: Agent, managers: Group, alice: User, bob: User
) -> None:
    request = ask(agent, {"name": "Two", "groups": [managers.name], "rejections": 2})

    assert decide(request, alice, REJECT).status == Status.PENDING
    with pytest.raises(AlreadyVoted):
        decide(request, alice)
    assert decide(request, bob, REJECT).status == Status.REJECTED


def test_a_rejection_by_somebody_who_left_counts_no_more(
    agent: Agent, managers: Group, alice: User, bob: User
) -> None:
    request = ask(agent, {"name": "Two", "groups": [managers.name], "rejections": 2})
    decide(request, alice, REJECT)
    alice.groups.clear()
    dora = make_user("dora", managers)

    assert decide(request, bob, REJECT).status == Status.PENDING
    assert decide(request, dora, REJECT).status == Status.REJECTED


def test_one_rejection_of_two_does_not_stop_an_approval(
    agent: Agent, managers: Group, alice: User, bob: User
) -> None:
    request = ask(agent, {"name": "Two", "groups": [managers.name], "rejections": 2})
    decide(request, alice, REJECT)

    shown = action_data(storage.read(request.action_id))["approval"]
    assert shown["progress"] == "0 of 1, waiting for Two"
    assert (shown["stages"][0]["rejections"], shown["stages"][0]["rejected"]) == (2, 1)
    assert decide(request, bob).status == Status.APPROVED


def test_two_flows_that_ask_the_same_group_ask_once_on_the_stricter_terms(
    agent: Agent, managers: Group, finance: Group, alice: User, bob: User, carol: User
) -> None:
    manager = {"name": "Manager", "groups": [managers.name]}
    chain = [{"after": "1h", "do": "remind"}, {"after": "2h", "do": "reject"}]
    two = {**manager, "approvals": 2, "timeout": "4h", "rejections": 2}
    second = [
        {**manager, "silence": chain},
        {"name": "Finance", "groups": [finance.name], "timeout": "4h"},
    ]
    rules.save(Subject.FLOW, {"name": "g", "stages": second})
    asks = {"actions": ["*"], "decision": "REQUIRE_APPROVAL", "flow": "g"}
    rules.save(Subject.POLICY, {"name": "q", **asks})
    request = ask(agent, two)

    stages = Stage.objects.filter(request=request).order_by("position")
    assert [(s.name, s.needed, s.rejections) for s in stages] == [
        ("Manager", 2, 1),
        ("Finance", 1, 1),
    ]
    assert [step["do"] for step in stages[0].silence] == ["remind", "reject"]
    for person in (alice, bob):
        assert decide(request, person).status == Status.PENDING
    assert decide(request, carol).status == Status.APPROVED


def test_a_chain_is_exact_though_no_worker_ran(
    agent: Agent, managers: Group, finance: Group, carol: User
) -> None:
    chain = [
        {"after": "30m", "do": "remind"},
        {"after": "2h", "do": "escalate", "to": [finance.name]},
        {"after": "8h", "do": "reject"},
    ]
    terms = {"groups": [managers.name], "timeout": None, "silence": chain}
    request = ask(agent, {"name": "Manager", **terms})
    with clock.shifted(timedelta(hours=1)), pytest.raises(NotAllowed):
        decide(request, carol)
    assert Stage.objects.get().silent_steps == 1

    with clock.shifted(timedelta(hours=3)):
        assert decide(request, carol).status == Status.APPROVED
    kinds = Event.objects.filter(kind__in=["reminded", "escalated"]).order_by("pk")
    assert list(kinds.values_list("kind", flat=True)) == ["reminded", "escalated"]


def test_a_chain_catches_up_and_ends_once(agent: Agent, managers: Group) -> None:
    chain = [{"after": "30m", "do": "remind"}, {"after": "8h", "do": "reject"}]
    terms = {"groups": [managers.name], "timeout": None, "silence": chain}
    request = ask(agent, {"name": "Manager", **terms})
    with clock.shifted(timedelta(days=3)):
        for _ in range(2):
            services.settle(request.action_id)

    action = Action.objects.get()
    assert action.status == Status.EXPIRED
    assert action.settled_at == request.opened_at + timedelta(hours=8)
    assert Event.objects.filter(kind="reminded").count() == 1


def test_with_a_calendar_only_working_time_counts(
    agent: Agent, managers: Group
) -> None:
    # One minute a week: nobody could have used up four hours of it by next month.
    rules.save(
        Subject.CALENDAR, {"name": "c", "days": ["mon"], "hours": ["00:00-00:01"]}
    )
    request = ask(agent, {"name": "M", "groups": [managers.name], "calendar": "c"})

    assert request.action.deadline_at
    assert request.action.deadline_at > request.opened_at + timedelta(days=1600)
