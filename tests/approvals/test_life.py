"""Whatever people, agents and the clock do, and in whatever order: it goes as told.

A machine takes random steps and compares every answer with ``model.py``. Set
``LIFE_STEPS`` for more than the usual number; they are other steps every time then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from approvals import services
from approvals.jobs import settle_due
from approvals.models import ApprovalRequest, Vote
from approvals.services import Proposal, storage
from governance import clock, freezes
from governance.errors import Refused
from governance.models import Action, Agent, Freeze, Status, User
from governance.services import create_agent
from policies import services as rules
from policies.bodies import Subject
from tests.approvals.model import (
    APPROVES_ITSELF,
    FLOWS,
    GRANT,
    KINDS,
    STRAIGHT,
    Life,
    World,
)
from tests.cast import make_user

SHARDS = 4
STEPS = 50
# With ``LIFE_SHRINK=1`` a failure is told in as few steps as can be found.
SHRINK = (Phase.shrink,) if "LIFE_SHRINK" in os.environ else ()
PHASES = (Phase.generate, *SHRINK)
# On each of the two databases.
TOTAL = int(os.environ.get("LIFE_STEPS", "10000"))
PEOPLE = ("alice", "bob", "carol", "dave", "erin")
OWNER = "erin"
GROUPS = {
    "managers": {"alice", "bob", "erin"},
    "finance": {"bob", "carol"},
    "chiefs": {"dave"},
}
people, groups = st.sampled_from(PEOPLE), st.sampled_from(sorted(GROUPS))
# What people are asked about, more than what goes straight through.
kinds = st.sampled_from([*FLOWS, *FLOWS, *STRAIGHT])
some = st.integers(0, 4)
verdicts = st.sampled_from([*["approve"] * 4, "reject", "request_changes"])
# Statements that leave all rows as they are.
READS = ("SELECT", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO")
UNDER_WAY = {"pending", "changes_requested", "allowed", "approved", "executing"}


def answer(act: Callable[[], Any]) -> str:
    try:
        act()
    except Refused as refusal:
        return refusal.code
    return ""


class Lives(RuleBasedStateMachine):
    users: ClassVar[dict[str, User]]
    agent: ClassVar[Agent]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.savepoint = transaction.savepoint()
        self.now = 0
        self.world = World(OWNER, {name: set(who) for name, who in GROUPS.items()})
        self.lives: list[tuple[Life, Any]] = []
        self.delegations: dict[str, Any] = {}
        self.moved: list[tuple[str, str]] = []
        # What was looked at, and when: while nothing is written, and it is not later,
        # whoever looks again sees the same.
        self.compared: set[Any] = set()
        self.stack.enter_context(connection.execute_wrapper(self.notice))

    def notice(
        self, execute: Any, sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Forget what was compared, if this may change a row."""
        if not sql.startswith(READS):
            self.compared.clear()
        return execute(sql, params, many, context)

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.savepoint)
        self.stack.close()

    @initialize(kind=kinds)
    def begin(self, kind: str) -> None:
        self.submit(kind, None)

    @precondition(lambda self: len(self.under_way()) < 2)
    @rule(kind=kinds, patience=st.sampled_from([None, None, 150]))
    def submit(self, kind: str, patience: int | None) -> None:
        seconds = patience * 60 if patience else None
        proposal = Proposal(kind, {"amount": 1}, expires_in=seconds)
        if kind in self.world.frozen:
            assert answer(lambda: services.submit(self.agent, proposal)) == "frozen"
            return
        course, _ = services.submit(self.agent, proposal)
        life = Life(self.world, kind, self.now, patience)
        self.lives.append((life, course.action.pk))

    def pick(self, which: int) -> tuple[Life, Any]:
        """Mostly one that is under way: little happens to what has ended."""
        lives = (self.under_way() if which else []) or self.lives[-3:]
        return lives[-1 - which % len(lives)]

    def under_way(self) -> list[tuple[Life, Any]]:
        return [each for each in self.lives if each[0].status in UNDER_WAY]

    # What people do

    @rule(which=some, person=people, verdict=verdicts)
    def decide(self, which: int, person: str, verdict: str) -> None:
        life, pk = self.pick(which)
        self.speak(life, pk, person, verdict)

    @precondition(lambda self: self.asked())
    @rule(who=some, verdict=verdicts)
    def answer_what_is_asked(self, who: int, verdict: str) -> None:
        """Let somebody speak who may: so that lives get further than refusals."""
        life, pk = self.asked()[-1]
        able = [person for person in PEOPLE if life.may(person)] or PEOPLE
        if who % 2:
            # A stand-in rather, or whom silence has asked.
            able = [p for p in able if p not in life.own_rights()] or able
        self.speak(life, pk, able[who % len(able)], verdict)

    @precondition(lambda self: self.asked())
    @rule(who=some)
    def agree_to_what_is_asked(self, who: int) -> None:
        self.answer_what_is_asked(who, "approve")

    @precondition(lambda self: self.asked())
    @rule(who=some, to=some)
    def let_a_stand_in_answer(self, who: int, to: int) -> None:
        life, pk = self.asked()[-1]
        able = [person for person in PEOPLE if life.may(person)]
        others = [person for person in PEOPLE if person not in able]
        if able and others:
            stand_in = others[to % len(others)]
            self.delegate(able[who % len(able)], stand_in)
            self.speak(life, pk, stand_in, "approve")

    @precondition(lambda self: any(life.votes for life, _ in self.asked()))
    @rule(who=some)
    def leave_after_approving(self, who: int) -> None:
        """Who approved at a stage leaves its groups; the others go on to the end."""
        life, pk = next(each for each in self.asked() if each[0].votes)
        _, seat, _, index = life.votes[who % len(life.votes)]
        for group in sorted(life.stages[index].groups):
            if seat in self.world.groups[group]:
                self.move(seat, group)
        for person in PEOPLE:
            if life.status == "pending" and life.may(person):
                self.speak(life, pk, person, "approve")

    @precondition(lambda self: self.asked())
    @rule(who=some)
    def answer_when_silence_has_asked(self, who: int) -> None:
        """Wait until somebody may speak who could not before, or until the end."""
        life, pk = self.asked()[-1]
        before = {person for person in PEOPLE if life.may(person)}
        able: list[str] = []
        while not able and life.status == "pending" and life.next_mark() is not None:
            self.wait_for_silence()
            life.lapse(self.now)
            able = [p for p in PEOPLE if p not in before and life.may(p)]
        if able:
            self.speak(life, pk, able[who % len(able)], "approve")

    def asked(self) -> list[tuple[Life, Any]]:
        return [each for each in self.lives if each[0].status == "pending"]

    def speak(self, life: Life, pk: Any, person: str, verdict: str) -> None:
        request = (
            ApprovalRequest.objects.filter(action=pk).order_by("-revision").first()
        )
        if request is None or not life.stages:
            return
        said = answer(
            lambda: services.decide(
                request,
                self.users[person],
                Vote.Verdict(verdict),
                digest=request.digest,
            )
        )
        assert said == life.decide(person, verdict, self.now)
        self.compare(life, pk)

    @rule(which=some)
    def rejudge(self, which: int) -> None:
        life, pk = self.pick(which)
        if which % 2 and life.kind in FLOWS:
            self.change_rules(life.kind)
        request = (
            ApprovalRequest.objects.filter(action=pk).order_by("-revision").first()
        )
        if request is None:
            return
        said = answer(lambda: services.rejudge(request, self.users["dave"]))
        assert said == life.rejudge(self.now)
        self.compare(life, pk)

    def change_rules(self, kind: str) -> None:
        self.world.stricter ^= {kind}
        _save_flow(kind, *(["chiefs"] if kind in self.world.stricter else []))

    @rule(person=people, group=groups)
    def join_or_leave(self, person: str, group: str) -> None:
        """One change at a time, or soon nobody is where anybody asks."""
        self.move(*(self.moved.pop() if self.moved else (person, group)))

    def move(self, person: str, group: str) -> None:
        members = self.world.groups[group]
        members ^= {person}
        if (person in members) != (person in GROUPS[group]):
            self.moved.append((person, group))
        row = Group.objects.get(name=group)
        row.user_set.set(self.users[name] for name in members)

    @rule(person=people, to=people)
    def delegate(self, person: str, to: str) -> None:
        mine = self.world.stand_ins
        refused = person in mine or person == to or self.world.loops(person, to)
        ends_at = clock.now() + timedelta(days=80)
        made: list[Any] = []
        said = answer(
            lambda: made.append(
                services.delegate(self.users[person], self.users[to], ends_at=ends_at)
            )
        )
        assert bool(said) == refused, said
        if made:
            mine[person] = to
            self.delegations[person] = made[0]

    @precondition(lambda self: self.delegations)
    @rule()
    def take_back(self) -> None:
        person, delegation = self.delegations.popitem()
        services.end_delegation(delegation)
        del self.world.stand_ins[person]

    @rule(kind=kinds)
    def freeze_or_thaw(self, kind: str) -> None:
        for stopped in self.world.frozen:
            frozen = Freeze.objects.active().get(pattern=stopped)
            freezes.thaw(frozen, reason="It is over.")
            self.world.frozen.clear()
            return
        freezes.freeze(kind, reason="Something is wrong.")
        self.world.frozen.add(kind)

    # What the agent does

    @rule(which=some)
    def cancel(self, which: int) -> None:
        life, pk = self.pick(which)
        said = answer(lambda: services.cancel(pk, self.agent))
        assert said == life.cancel(self.now)
        self.compare(life, pk)

    @rule(which=some, amount=st.integers(1, 3))
    def revise(self, which: int, amount: int) -> None:
        life, pk = self.pick(which)
        sent = {"params": {"amount": amount}}
        said = answer(lambda: services.revise(pk, self.agent, sent))
        assert said == life.revise(self.now)
        self.compare(life, pk)

    @rule(which=some, same=st.sampled_from([True, True, False]))
    def consume(self, which: int, same: bool) -> None:
        life, pk = self.pick(which)
        digest = Action.objects.get(pk=pk).digest if same else "sha256:" + "0" * 64
        said = answer(lambda: services.consume(pk, self.agent, digest))
        assert said == life.consume(self.now, same=same)
        self.compare(life, pk)

    @rule(which=some, outcome=st.sampled_from(["succeeded", "unknown"]))
    def report(self, which: int, outcome: str) -> None:
        life, pk = self.pick(which)
        said = answer(lambda: services.report(pk, self.agent, Status(outcome)))
        life.lapse(self.now)
        assert said == life.report(outcome, self.now)
        self.compare(life, pk)

    # What the clock does

    @rule(hours=st.sampled_from([1, 2, 5]))
    def wait(self, hours: int) -> None:
        # Every deadline lies at half past: what the test itself takes makes no difference.
        self.now += 60 * hours
        self.stack.enter_context(clock.shifted(timedelta(hours=hours)))

    @precondition(lambda self: self.asked())
    @rule()
    def wait_for_silence(self) -> None:
        """Just past the next step of whoever is asked."""
        mark = self.asked()[-1][0].next_mark()
        if mark is not None and mark > self.now:
            self.wait((mark - self.now) // 60 + 1)

    @rule()
    def sweep(self) -> None:
        settle_due()
        stored = dict(Action.objects.values_list("pk", "status"))
        for life, pk in self.lives:
            life.lapse(self.now)
            assert stored[pk] == life.status

    # What always holds

    @invariant()
    def a_reader_sees_what_the_model_says(self) -> None:
        for life, pk in self.lives[-1:]:
            self.compare(life, pk)

    def compare(self, life: Life, pk: Any) -> None:
        life.lapse(self.now)
        told = life.status, life.revision, life.spent, *(s.state for s in life.stages)
        if (pk, self.now, told) in self.compared:
            return
        self.compared.add((pk, self.now, told))
        course = storage.read(pk)
        course.lapse(clock.now())
        assert course.action.status == life.status
        assert course.action.revision == life.revision
        assert (course.action.consumed_at is not None) == life.spent
        if life.stages:
            assert [s.state for s in course.stages] == [s.state for s in life.stages]


@pytest.fixture
def world(db: None) -> None:
    """Everybody and all rules, made once: each run takes back what it did."""
    for name in GROUPS:
        Group.objects.create(name=name)
    Lives.users = {name: make_user(name) for name in PEOPLE}
    for name, members in GROUPS.items():
        for person in members:
            Lives.users[person].groups.add(Group.objects.get(name=name))
    rejudge = Permission.objects.get(codename="rejudge_approvalrequest")
    Lives.users["dave"].user_permissions.add(rejudge)
    Lives.agent = create_agent("pay-bot", owner=Lives.users[OWNER])
    for kind in KINDS:
        _make_rules(kind)


def _make_rules(kind: str) -> None:
    name = kind.replace(".", "-")
    risk = 10 if kind in APPROVES_ITSELF else 50
    body = {"name": kind, "base_risk": risk, "grant": f"{GRANT}m"}
    rules.save(Subject.ACTION_TYPE, body)
    if kind in FLOWS:
        _save_flow(kind)
    decisions = {"pay.free": "ALLOW", "pay.never": "BLOCK"}
    policy = {
        "name": name,
        "actions": [kind],
        "decision": decisions.get(kind, "REQUIRE_APPROVAL"),
        **({"flow": name} if kind in FLOWS else {}),
    }
    rules.save(Subject.POLICY, policy)


def _save_flow(kind: str, *also: str) -> None:
    """Write what people are asked; of ``also`` at each stage, if it is stricter."""
    stages = []
    for step, groups, approvals, rejections, silence in FLOWS[kind]:
        asked = tuple(dict.fromkeys([*groups, *also]))
        stages.append(_stage(step, asked, approvals, rejections, silence))
    name = kind.replace(".", "-")
    rules.save(Subject.FLOW, {"name": name, "stages": stages})


def _stage(
    step: int,
    groups: tuple[str, ...],
    approvals: int,
    rejections: int,
    silence: tuple[tuple[int, str, str], ...],
) -> dict[str, Any]:
    return {
        "name": groups[0],
        "step": step,
        "groups": list(groups),
        "approvals": approvals,
        "rejections": rejections,
        **({"silence": [_silence(*each) for each in silence]} if silence else HOLD),
    }


HOLD = {"on_timeout": "hold"}


def _silence(minutes: int, do: str, to: str) -> dict[str, Any]:
    step: dict[str, Any] = {"after": f"{minutes}m", "do": do}
    if do == "escalate":
        step["to"] = [to]
    if do == "approve":
        step["max_risk"] = 20
    return step


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_life_goes_as_told(world: None, shard: int) -> None:
    lives = type(f"Lives{shard}", (Lives,), {})

    run_state_machine_as_test(
        lives,
        settings=settings(
            max_examples=max(1, TOTAL // SHARDS // STEPS),
            stateful_step_count=STEPS,
            derandomize="LIFE_STEPS" not in os.environ,
            deadline=None,
            database=None,
            # Shortening a failure takes many times as long as finding it.
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
        ),
    )
