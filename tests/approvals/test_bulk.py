"""decide_each: what is safe goes together, and each says what came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from threading import Event as Signal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection

from approvals import drift, services
from approvals.models import ApprovalRequest, Stage, Vote
from approvals.services import bulk, review, storage
from governance import clock, freezes
from governance.errors import Invalid, Refused
from governance.models import Action, Agent, Event, Status, User
from policies import services as rules
from policies.bodies import Subject
from tests.approvals.batches import ask, install_rules, proposed, tagging, taggings
from tests.approvals.test_races import at_once

pytestmark = pytest.mark.django_db
APPROVE, REJECT = Vote.Verdict.APPROVE, Vote.Verdict.REJECT
ALONE = "not_in_bulk"


@pytest.fixture(autouse=True)
def _rules(managers: Group) -> None:
    install_rules()


def together(
    requests: list[ApprovalRequest],
    person: User,
    verdict: Vote.Verdict = APPROVE,
    **more: Any,
) -> list[str]:
    """Return for each the status it led to, or the code of the refusal."""
    shown = [(request, request.digest) for request in requests]
    answers = services.decide_each(shown, person, verdict, **more)
    assert [answer.request for answer in answers] == requests
    return [told(answer) for answer in answers]


def told(answer: bulk.Answer) -> str:
    if answer.refusal:
        return answer.refusal.code
    assert answer.course
    return answer.course.action.status


def why(requests: list[ApprovalRequest], person: User) -> str:
    """Return why the last of them was refused, which let the others go."""
    shown = [(request, request.digest) for request in requests]
    *others, last = services.decide_each(shown, person, APPROVE)
    assert {told(answer) for answer in others} <= {"approved"}
    assert last.refusal
    assert last.refusal.code == ALONE
    return str(last.refusal)


def test_each_is_a_decision_of_its_own(agent: Agent, alice: User) -> None:
    requests = taggings(agent, 3)

    assert together(requests, alice, comment="Seen.") == ["approved"] * 3
    votes = Vote.objects.order_by("id")
    assert [(v.by, v.comment, v.via, v.shown_at) for v in votes] == [
        ("alice", "Seen.", "console", None)
    ] * 3
    events = Event.objects.filter(kind="voted")
    assert [event.data["in_bulk"] for event in events] == [True] * 3


def test_what_is_decided_alone_is_not_marked(agent: Agent, alice: User) -> None:
    request = tagging(agent)
    services.decide(request, alice, APPROVE, digest=request.digest)

    assert "in_bulk" not in Event.objects.get(kind="voted").data


def test_sending_it_again_changes_nothing(agent: Agent, alice: User) -> None:
    requests = taggings(agent, 2)
    together(requests, alice)

    assert together(requests, alice) == ["approved"] * 2
    assert Vote.objects.count() == 2


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("ticket.close", "another kind of action: ticket.close, not ticket.tag"),
        ("ticket.delete", "another kind"),
    ],
)
def test_one_kind_of_action_at_a_time(
    agent: Agent, alice: User, action: str, words: str
) -> None:
    other = tagging(agent, 9, action)

    assert words in why([*taggings(agent, 2), other], alice)
    assert Action.objects.get(pk=other.action_id).status == Status.PENDING
    assert Event.objects.get(kind="decision_refused").data["code"] == ALONE


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("ticket.delete", "It cannot be undone."),
        ("ticket.merge", "Its risk is not low: 25 points"),
    ],
)
def test_what_is_not_harmless_is_decided_by_itself(
    agent: Agent, alice: User, action: str, words: str
) -> None:
    request = tagging(agent, action=action)

    assert words in why([request], alice)
    assert not Vote.objects.exists()


def test_low_risk_ends_where_the_console_says_medium(agent: Agent, alice: User) -> None:
    rules.save(
        Subject.ACTION_TYPE, {"name": "a.b", "reversible": True, "base_risk": 24}
    )

    assert together([tagging(agent, action="a.b")], alice) == ["approved"]


@pytest.mark.parametrize(
    "stages",
    [
        [{"name": "Two", "approvals": 2}],
        [{"name": "One"}, {"name": "Then"}],
        [{"name": "One", "step": 1}, {"name": "Beside", "step": 1}],
    ],
)
def test_what_takes_several_people_is_decided_by_itself(
    agent: Agent, alice: User, bob: User, stages: list[dict[str, Any]]
) -> None:
    ask("more", *stages, actions=["ticket.tag"], when="params.ticket == 7")

    assert why([tagging(agent), tagging(agent, 7)], alice) == (
        "It takes more than one person."
    )


def test_nor_is_the_last_word_of_several(agent: Agent, alice: User, bob: User) -> None:
    ask("two", {"name": "Two", "approvals": 2}, actions=["*"])
    request = tagging(agent)
    services.decide(request, alice, APPROVE, digest=request.digest)

    assert why([request], bob) == "It takes more than one person."


def test_nobody_has_rejected_it(agent: Agent, alice: User, bob: User) -> None:
    request = tagging(agent)
    Stage.objects.filter(request=request).update(rejections=2)
    services.decide(request, bob, REJECT, digest=request.digest)

    assert why([request], alice) == "Somebody has rejected it."


def test_what_was_not_understood_is_decided_by_itself(
    agent: Agent, alice: User
) -> None:
    ask("odd", {"name": "Odd"}, actions=["*"], when="params.missing > 1")

    assert together([tagging(agent)], alice) == [ALONE]


@pytest.mark.parametrize(
    "params",
    [
        {f"field_{n:02}": n for n in range(15)} | {"zz_delete_all": True},
        {"lines": list(range(9))},
        {"body": f"{'Hello. ' * 35}Delete it."},
        {"n" * 161: 1},
        {"a": {"b" * 90: {"c" * 90: 1}}},
    ],
)
def test_what_does_not_fit_on_a_line_is_read_by_itself(
    agent: Agent, alice: User, params: dict[str, Any]
) -> None:
    request = proposed(agent, params)

    assert why([tagging(agent), request], alice) == (
        "It must be read by itself: its parameters do not fit on a line."
    )
    assert together([request], alice, REJECT, comment="No.") == ["rejected"]


@pytest.mark.parametrize(
    ("params", "resource"),
    [
        ({"payee": "p\u0430ypal"}, None),
        ({"p\u0430yee": "paypal"}, None),
        ({"site": "https://bank.example@203.0.113.9/"}, None),
        ({"note": "one\u202etwo"}, None),
        ({"note": " one"}, None),
        ({"payee": "paypal"}, {"type": "account", "id": "p\u0430ypal"}),
        ({"payee": "paypal"}, {"type": "account", "id": "x" * 161}),
    ],
)
def test_what_may_deceive_the_eye_is_read_by_itself(
    agent: Agent,
    alice: User,
    params: dict[str, Any],
    resource: dict[str, str] | None,
) -> None:
    request = proposed(agent, params, resource)

    assert why([tagging(agent), request], alice).startswith("It must be read by itself")


def test_what_just_fits_is_approved(agent: Agent, alice: User) -> None:
    params = {str(number): "x" * 160 for number in range(8)}

    assert together([proposed(agent, params)], alice) == ["approved"]


def test_rules_that_changed_since_are_asked_first(agent: Agent, alice: User) -> None:
    request = tagging(agent)
    policy = {"actions": ["ticket.tag"], "decision": "BLOCK", "reason": "No more."}
    rules.save(Subject.POLICY, {"name": "block", **policy})

    assert "has not been compared" in why([request], alice)
    drift.check()
    request.refresh_from_db()
    assert "would judge it differently" in why([request], alice)


def test_a_change_of_rules_that_changes_nothing_is_none(
    agent: Agent, alice: User
) -> None:
    request = tagging(agent)
    rules.save(Subject.ACTION_TYPE, {"name": "other.thing"})
    drift.check()

    assert together([request], alice) == ["approved"]


def test_what_nobody_could_compare_is_decided_by_itself(
    agent: Agent, alice: User
) -> None:
    request = tagging(agent)
    rules.save(Subject.ACTION_TYPE, {"name": "other.thing"})
    drift.check()
    ApprovalRequest.objects.update(drift=None)

    assert together([request], alice) == [ALONE]


@pytest.mark.parametrize("pattern", ["*", "ticket.*", "ticket.tag"])
def test_what_is_frozen_is_not_approved(
    agent: Agent, alice: User, pattern: str
) -> None:
    request = tagging(agent)
    freezes.freeze(pattern, reason="Wait.")

    assert together([request], alice) == ["frozen"]
    assert together([request], alice, REJECT, comment="No.") == ["rejected"]


def test_another_digest_is_another_thing(agent: Agent, alice: User) -> None:
    one, other = taggings(agent, 2)
    shown = [(one, other.digest), (other, other.digest)]
    answers = services.decide_each(shown, alice, APPROVE)

    assert [told(answer) for answer in answers] == ["changed", "approved"]


def test_changes_are_asked_for_one_by_one(agent: Agent, alice: User) -> None:
    verdict = Vote.Verdict.REQUEST_CHANGES

    assert together(taggings(agent, 2), alice, verdict) == [ALONE] * 2


def test_anything_one_may_decide_is_rejected_with_one_reason(
    agent: Agent, alice: User
) -> None:
    kinds = ["ticket.delete", "ticket.merge", "ticket.tag"]
    requests = [tagging(agent, action=kind) for kind in kinds]

    assert together(requests, alice, REJECT, comment="Storm.") == ["rejected"] * 3
    assert {vote.comment for vote in Vote.objects.all()} == {"Storm."}


@pytest.mark.parametrize("comment", ["", " \n"])
def test_rejecting_takes_a_reason(agent: Agent, alice: User, comment: str) -> None:
    with pytest.raises(Invalid, match="Say why"):
        together(taggings(agent, 2), alice, REJECT, comment=comment)

    assert not Vote.objects.exists()


def test_not_more_than_fifty(agent: Agent, alice: User) -> None:
    request = tagging(agent)
    with pytest.raises(Invalid, match="at most 50"):
        together([request] * 51, alice)

    assert not Vote.objects.exists()


def test_a_mark_from_afar_lets_nobody_decide(
    agent: Agent, alice: User, charlie: User
) -> None:
    agent.owner = alice
    agent.save()
    requests = taggings(agent, 2)

    assert together(requests, charlie) == ["not_allowed"] * 2
    assert together(requests, alice) == ["not_allowed"] * 2


# What happens in between


def in_between(
    monkeypatch: pytest.MonkeyPatch,
    request: ApprovalRequest,
    happens: Callable[[], Any],
) -> None:
    """Have something happen just before the turn of this one comes."""
    decide = review.decide

    def later(shown: ApprovalRequest, *args: Any, **options: Any) -> Any:
        if shown == request:
            happens()
        return decide(shown, *args, **options)

    monkeypatch.setattr(bulk, "decide", later)


def test_one_that_somebody_decided_meanwhile_holds_up_no_other(
    agent: Agent, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = taggings(agent, 3)
    digest = second.digest
    in_between(
        monkeypatch,
        second,
        lambda: services.decide(second, bob, REJECT, digest=digest),
    )

    answers = together([first, second, third], alice)
    assert answers == ["approved", "already_decided", "approved"]
    refused = Event.objects.get(kind="decision_refused")
    assert "rejected already: bob decided" in refused.data["why"]


@pytest.mark.parametrize(
    ("what", "code"),
    [("freeze", "frozen"), ("right", "not_allowed"), ("time", "expired")],
)
def test_what_changes_half_way_stops_the_rest(
    agent: Agent,
    managers: Group,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    code: str,
) -> None:
    requests = taggings(agent, 3)
    past = timedelta(hours=5)
    moved = clock.shifted(past)
    happens: dict[str, Callable[[], Any]] = {
        "freeze": lambda: freezes.freeze("*", reason="Stop."),
        "right": lambda: alice.groups.remove(managers),
        "time": moved.__enter__,
    }
    in_between(monkeypatch, requests[1], happens[what])

    try:
        assert together(requests, alice) == ["approved", code, code]
    finally:
        if what == "time":
            moved.__exit__(None, None, None)


def test_a_fault_is_said_of_the_one_it_befell(
    agent: Agent, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = taggings(agent, 3)
    save = storage.save

    def faulty(course: Any, **options: Any) -> None:
        save(course, **options)
        if course.request == requests[1]:
            raise DatabaseError("The disk is full.")

    monkeypatch.setattr(storage, "save", faulty)

    assert together(requests, alice) == ["approved", "refused", "approved"]
    assert Action.objects.get(pk=requests[1].action_id).status == Status.PENDING


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_decide_each_once(
    agent: Agent, alice: User, bob: User
) -> None:
    requests = taggings(agent, 4)
    first, second = at_once(
        lambda: together(requests, alice),
        lambda: together(list(requests), bob, REJECT, comment="No."),
    )

    assert Vote.objects.count() == 4
    for pair in zip(first, second, strict=True):
        assert "already_decided" in pair
        assert set(pair) & {"approved", "rejected"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="SQLite has one writer at a time."
)
def test_nothing_is_approved_after_it_was_frozen(
    agent: Agent, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = tagging(agent)
    checked, frozen = Signal(), Signal()
    save = storage.save

    def slowly(*args: Any, **options: Any) -> None:
        checked.set()
        # It was not frozen a moment ago. Is it safe to rely on that until the commit?
        assert not frozen.wait(timeout=0.7)
        save(*args, **options)

    def freeze() -> None:
        checked.wait(timeout=5)
        freezes.freeze("*", reason="Stop.")
        frozen.set()
        connection.close()

    monkeypatch.setattr(storage, "save", slowly)
    answers, _ = at_once(lambda: together([request], alice), freeze)

    assert answers == ["approved"]
    assert frozen.is_set()


def test_refusals_are_told_apart_from_faults(agent: Agent, alice: User) -> None:
    [answer] = services.decide_each([(tagging(agent), "sha256:0")], alice, APPROVE)

    assert isinstance(answer.refusal, Refused)
    assert answer.course is None
