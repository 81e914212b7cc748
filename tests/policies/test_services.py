from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event as Flag

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction

from governance import locks
from governance.errors import Invalid
from governance.models import Agent, Event, User
from policies import bodies, services
from policies.bodies import Body, Subject
from policies.models import Flow, Lookback, LookbackEntry, Policy, RuleSet, Version
from policies.services import InUse, Unfitting, UnknownRule
from tests.policies.making import (
    asking,
    factor,
    flow,
    lookback,
    make_action,
    make_lookback,
    policy,
)

pytestmark = pytest.mark.django_db

RULES: list[tuple[Subject, Body]] = [
    (Subject.POLICY, policy()),
    (Subject.FLOW, flow()),
    (Subject.LOOKBACK, lookback()),
    (Subject.RISK_FACTOR, factor()),
    (Subject.ACTION_TYPE, {"name": "refund.create", "base_risk": 20}),
    (Subject.RESOURCE, {"type": "order", "sensitivity": 10}),
    (Subject.CALENDAR, {"name": "office"}),
    (
        Subject.TEST,
        {"name": "nothing", "action": "refund.create", "expect": "BLOCK"},
    ),
    (Subject.DEFAULT, {"decision": "BLOCK"}),
]
CHANGES: dict[Subject, Body] = {
    Subject.POLICY: {"reason": "Because."},
    Subject.FLOW: {"stages": flow(timeout="5h")["stages"]},
    Subject.LOOKBACK: {"window": "7d"},
    Subject.RISK_FACTOR: {"points": 11},
    Subject.ACTION_TYPE: {"params_schema": {"type": "object"}},
    Subject.RESOURCE: {"sensitivity": 11},
    Subject.CALENDAR: {"hours": ["10:00-16:00"]},
    Subject.TEST: {"params": {"amount": 20}},
}
each_rule = pytest.mark.parametrize(
    ("subject", "body"), RULES, ids=[subject for subject, _ in RULES]
)


def revision() -> int:
    return RuleSet.objects.values_list("revision", flat=True).first() or 0


@each_rule
def test_a_new_rule_leaves_its_first_version_and_one_event(
    subject: Subject, body: Body, alice: User
) -> None:
    version = services.save(subject, body, author=alice, note="At last.").version

    assert version
    assert (version.number, version.revision.author, version.revision.note) == (
        1,
        alice,
        "At last.",
    )
    assert version.body == bodies.read(subject, body)
    event = Event.objects.get()
    assert (event.kind, event.actor_name) == ("policy_changed", "alice")
    assert event.stream == f"{subject}:{version.name}"
    assert event.data["version"] == 1
    assert revision() == 1


@each_rule
def test_saving_the_same_again_leaves_nothing(subject: Subject, body: Body) -> None:
    first = services.save(subject, body).version
    assert first

    assert not services.save(subject, body).versions
    assert not services.save(subject, first.body).versions

    assert Version.objects.count() == Event.objects.count() == revision() == 1


@pytest.mark.parametrize(
    ("subject", "body"), RULES[:-1], ids=[subject for subject, _ in RULES[:-1]]
)
def test_a_change_is_a_new_version_and_says_what_changed(
    subject: Subject, body: Body
) -> None:
    services.save(subject, body)

    version = services.save(subject, {**body, **CHANGES[subject]}).version

    assert version
    assert version.number == 2
    assert version.body == bodies.read(subject, {**body, **CHANGES[subject]})
    changes = Event.objects.latest("id").data["changes"]
    assert len(changes) == 1
    assert revision() == 2


@pytest.mark.parametrize(
    ("subject", "body"), RULES[1:], ids=[subject for subject, _ in RULES[1:]]
)
def test_what_nothing_refers_to_can_be_removed(subject: Subject, body: Body) -> None:
    version = services.save(subject, body).version
    assert version

    gone = services.remove(subject, version.name).version

    assert gone
    assert (gone.number, gone.body) == (2, None)
    assert services.preview(lambda state: state).before == bodies.empty()
    again = services.save(subject, body).version
    assert again
    assert again.number == 3


def test_a_policy_is_retired_and_never_removed() -> None:
    services.save(Subject.POLICY, policy())

    services.remove(Subject.POLICY, "small")
    assert not services.retire("small").versions

    row = Policy.objects.get()
    assert (row.mode, row.version) == ("retired", 2)


def test_a_policy_can_be_retired_although_its_condition_no_longer_compiles() -> None:
    services.save(Subject.POLICY, policy())
    Policy.objects.update(when="history.gone.count > 0")

    services.retire("small")

    assert Policy.objects.get().mode == "retired"


def test_a_flow_that_is_needed_stays() -> None:
    services.save(Subject.FLOW, flow())
    services.save(Subject.POLICY, asking())

    with pytest.raises(InUse, match="policy large"):
        services.remove(Subject.FLOW, "managers")

    services.save(Subject.FLOW, flow("others"))
    services.save(Subject.DEFAULT, {"decision": "REQUIRE_APPROVAL", "flow": "others"})
    with pytest.raises(InUse, match="the default"):
        services.remove(Subject.FLOW, "others")


@pytest.mark.parametrize("subject", [Subject.POLICY, Subject.RISK_FACTOR])
def test_a_lookback_that_is_needed_stays(subject: Subject) -> None:
    make_lookback()
    body = policy() if subject is Subject.POLICY else factor()
    services.save(subject, {**body, "when": "history.customer_refunds.count > 0"})

    with pytest.raises(InUse, match=body["name"]):
        services.remove(Subject.LOOKBACK, "customer_refunds")


def test_a_lookback_goes_on_summing_while_somebody_reads_the_sum() -> None:
    make_lookback(sum="params.amount")
    when = "history.customer_refunds.sum > 100.0"
    services.save(Subject.POLICY, policy(when=when))

    with pytest.raises(Unfitting, match="used by policy small"):
        make_lookback()


def test_a_retired_policy_needs_no_lookback() -> None:
    make_lookback()
    when = "history.customer_refunds.count > 0"
    services.save(Subject.POLICY, policy(when=when, mode="retired"))

    services.remove(Subject.LOOKBACK, "customer_refunds")

    assert not Lookback.objects.exists()


def test_nobody_removes_what_is_not_there() -> None:
    with pytest.raises(UnknownRule):
        services.remove(Subject.FLOW, "managers")


@pytest.mark.parametrize(
    ("subject", "body", "path"),
    [
        (Subject.POLICY, policy(when="params.amount <"), "/when"),
        (Subject.POLICY, policy(when="history.nobody.count > 0"), "/when"),
        (Subject.POLICY, asking(), "/flow"),
        (Subject.POLICY, asking(flow=None), "/flow"),
        (Subject.POLICY, policy(flow="managers"), "/flow"),
        (Subject.POLICY, policy(position=3), "/position"),
        (Subject.POLICY, "small", ""),
        (Subject.RISK_FACTOR, factor(when="risk > 5"), "/when"),
        (Subject.FLOW, flow(approvals=0), "/stages/0/approvals"),
        (Subject.FLOW, flow(timeout=None), "/stages/0/timeout"),
        (Subject.LOOKBACK, lookback(key="amount"), "/key"),
        (Subject.DEFAULT, {"decision": "ALLOW"}, "/decision"),
        (Subject.ACTION_TYPE, {"name": "a", "params_schema": {"type": 1}}, "/params_schema"),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_fit_leaves_no_trace(
    subject: Subject, body: Body, path: str
) -> None:
    with pytest.raises(Invalid) as caught:
        services.save(subject, body)

    assert [problem.path for problem in caught.value.errors] == [path]
    assert not Version.objects.exists()
    assert not Event.objects.exists()
    assert revision() == 0


def test_a_note_is_short() -> None:
    with pytest.raises(Invalid):
        services.save(Subject.POLICY, policy(), note="x" * 501)


def test_groups_that_do_not_exist_are_created_empty() -> None:
    services.save(Subject.FLOW, flow(on_timeout="escalate", escalate_to=["bosses"]))

    assert set(Group.objects.values_list("name", flat=True)) == {"managers", "bosses"}
    stage = Flow.objects.get().stages.get()
    assert [group.name for group in stage.escalate_to.all()] == ["bosses"]


def test_what_is_new_goes_behind_the_others() -> None:
    for name in ("one", "two", "three"):
        services.save(Subject.POLICY, policy(name))

    names = list(Policy.objects.order_by("position").values_list("name", flat=True))
    assert names == ["one", "two", "three"]


def test_another_order_is_on_record_and_takes_effect() -> None:
    for name in ("one", "two", "three"):
        services.save(Subject.FLOW, flow(name))

    services.reorder(Subject.FLOW, ["three", "one"])

    names = list(Flow.objects.order_by("position").values_list("name", flat=True))
    assert names == ["three", "one", "two"]
    changes = Event.objects.latest("id").data["changes"]
    assert changes["order"]["new"] == ["three", "one", "two"]
    assert revision() == 4


def test_versions_cannot_be_changed() -> None:
    services.save(Subject.POLICY, policy())

    with pytest.raises(IntegrityError), transaction.atomic():
        Version.objects.update(number=7)


def test_a_new_lookback_finds_what_was_before_it(agent: Agent) -> None:
    inside = make_action(agent, amount=20, age=timedelta(days=29))
    make_action(agent, amount=20, age=timedelta(days=31))
    make_action(agent, name="mail.send", amount=20)

    make_lookback(sum="params.amount")

    entry = LookbackEntry.objects.get()
    assert (entry.action, entry.key, entry.amount) == (inside, "C-7", 20.0)
    assert entry.at == inside.created_at


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"window": "60d"}, {"C-7": None, "C-8": None}),
        ({"actions": ["*"]}, {"C-7": None, "C-9": None}),
        ({"key": "params.order_id"}, {"A-1": None}),
        ({"sum": "params.amount"}, {"C-7": 20.0}),
    ],
)
def test_a_changed_lookback_is_counted_anew(
    agent: Agent, change: Body, found: dict[str, float | None]
) -> None:
    make_action(agent, amount=20, order_id="A-1")
    make_action(agent, customer_id="C-8", age=timedelta(days=40))
    make_action(agent, name="mail.send", customer_id="C-9")
    make_lookback()

    make_lookback(**change)

    assert dict(LookbackEntry.objects.values_list("key", "amount")) == found


def test_the_entries_go_with_the_lookback(agent: Agent) -> None:
    make_action(agent)
    make_lookback()

    services.remove(Subject.LOOKBACK, "customer_refunds")

    assert not LookbackEntry.objects.exists()


def test_true_and_one_are_different_schemas() -> None:
    body: Body = {"name": "a", "params_schema": {"const": True}}
    services.save(Subject.ACTION_TYPE, body)

    assert services.save(Subject.ACTION_TYPE, {**body, "params_schema": {"const": 1}})


def test_the_record_is_readable_json() -> None:
    services.save(Subject.POLICY, policy(reason="Für alle."))

    body = json.loads(Event.objects.get().body)

    assert body["data"]["changes"]["reason"] == {"new": "Für alle.", "old": None}
    assert body["data"]["mode"] == "enforce"


@pytest.mark.django_db(transaction=True)
def test_a_change_waits_for_what_is_being_submitted(agent: Agent) -> None:
    submitted, go_on = Flag(), Flag()

    def submit() -> None:
        with transaction.atomic():
            locks.shared(locks.RULES)
            make_action(Agent.objects.get())
            submitted.set()
            # Long enough for a change that does not wait to be done.
            go_on.wait(1)
        connection.close()

    def change() -> None:
        submitted.wait(10)
        make_lookback()
        go_on.set()
        connection.close()

    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(submit), pool.submit(change)]:
            done.result(20)

    assert LookbackEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_changes_at_once_are_two_versions() -> None:
    services.save(Subject.POLICY, policy())

    def change(reason: str) -> int:
        version = services.save(Subject.POLICY, policy(reason=reason)).version
        connection.close()
        assert version
        return version.number

    with ThreadPoolExecutor() as pool:
        numbers = sorted(pool.map(change, ["One.", "Two.", "Three.", "Four."]))

    assert numbers == [2, 3, 4, 5]
    assert revision() == 5


@pytest.mark.django_db(transaction=True)
def test_a_lock_needs_a_transaction() -> None:
    with pytest.raises(AssertionError):
        locks.shared(locks.RULES)
