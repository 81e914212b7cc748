"""Backtests: what a draft would have decided, counted once whatever happens."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from governance import clock
from governance.models import Action, Agent, User
from policies import backtests, drafts, findings, jobs, services, slices
from policies.admin.forms import with_rule
from policies.bodies import Body, Subject, read
from policies.drafts import Draft
from policies.findings import Findings
from policies.models import Backtest
from policies.remembering import Span
from policies.replay import Replay
from policies.rules import Mode
from tests.policies import replaying
from tests.policies.making import asking, flow, make_action, make_lookback, policy

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh() -> None:
    slices.forget()


def draft_with(body: dict[str, Any]) -> Draft:
    wanted = read(Subject.POLICY, body)
    return drafts.of(lambda state: with_rule(state, Subject.POLICY, wanted))


def report(draft: Draft, days: int = 30) -> dict[str, Any]:
    found = Findings(findings.empty())
    for action, outcome in backtests.run(draft, Span(clock.now(), days)):
        found.add(action, outcome)
    return found.data


def start(draft: Draft, days: int = 30) -> Backtest:
    return backtests.start(draft, days, asked_by=None, amount=findings.AMOUNT)


def finish(backtest: Backtest, *, forgetting: bool = False) -> Backtest:
    """Work slice by slice, each about one action long."""
    with patch.multiple(slices, SECONDS=0.0, LEAST=0.001, SAVE_EVERY=0.0):
        while backtest.finished_at is None:
            if forgetting:
                slices.forget()
            jobs.run_backtests()
            backtest.refresh_from_db()
    return backtest


@pytest.mark.parametrize("seed", range(3))
def test_the_rules_in_force_decide_as_they_did(
    agent: Agent, alice: User, seed: int
) -> None:
    replaying.load_rules()
    replaying.live_through(agent, alice, seed, 30)

    replayed = list(backtests.run(drafts.of(), Span(clock.now(), 30)))

    then = Action.objects.order_by("pk").values_list("pk", "decision", "risk")
    assert [(a.pk, o.live.decision, o.live.risk) for a, o in replayed] == list(then)
    assert len({decision for _, decision, _ in then}) > 1


def test_a_span_begins_with_what_lies_before_it(agent: Agent, alice: User) -> None:
    replaying.load_rules()
    replaying.live_through(agent, alice, 7, 40)

    everything = decided(30)
    some = decided(9)

    assert 0 < len(some) < len(everything)
    assert some.items() <= everything.items()


def decided(days: int) -> dict[UUID, str]:
    replayed = backtests.run(drafts.of(), Span(clock.now(), days))
    return {action.pk: str(outcome.live.decision) for action, outcome in replayed}


@pytest.mark.parametrize(
    "body",
    [
        asking("often", when="history.customer_refunds.count >= 1"),
        asking("much", when="params.amount > 15.0"),
        policy("much", decision="BLOCK", when="params.amount > 15.0"),
        policy("any", when="params.card == '1'"),
        asking("any", mode="monitor"),
        replaying.draft(),
    ],
)
def test_what_is_not_judged_twice_would_not_have_differed(
    agent: Agent, alice: User, body: Body
) -> None:
    replaying.load_rules()
    replaying.live_through(agent, alice, 3, 20)
    draft = draft_with(body)

    cheap = report(draft)
    with patch.object(Replay, "_could_differ", return_value=True):
        assert report(draft) == cheap
    assert cheap["changes"]


@pytest.mark.parametrize("forgetting", [False, True])
def test_in_slices_it_finds_what_it_finds_in_one_go(
    agent: Agent, alice: User, forgetting: bool
) -> None:
    replaying.load_rules()
    replaying.live_through(agent, alice, 5, 24)
    draft = draft_with(replaying.draft())

    done = finish(start(draft), forgetting=forgetting)

    assert done.error == ""
    assert done.done == done.total == 24
    assert done.report == report(draft)
    assert done.report["changes"]


def test_two_workers_at_one_slice_count_it_once(agent: Agent) -> None:
    rules_about_refunds(agent)
    started = start(drafts.of())
    one, other = (Backtest.objects.get(pk=started.pk) for _ in range(2))

    assert backtests.step(one) is False
    slices.forget()
    with patch.multiple(slices, SECONDS=0.0, LEAST=0.001, SAVE_EVERY=0.0):
        assert backtests.step(other) is False

    started.refresh_from_db()
    assert started.finished_at is not None
    assert (started.done, started.report["looked_at"]) == (5, 5)


def test_a_worker_that_dies_loses_its_slice_and_nothing_else(agent: Agent) -> None:
    rules_about_refunds(agent)
    started = start(drafts.of())
    judge = Replay.judge
    judged = []

    def die(self: Replay, action: Any) -> Any:
        judged.append(action)
        if len(judged) == 3:
            raise SystemExit
        return judge(self, action)

    with (
        patch.multiple(slices, SAVE_EVERY=0.0),
        patch.object(Replay, "judge", die),
        pytest.raises(SystemExit),
    ):
        jobs.run_backtests()

    started.refresh_from_db()
    assert started.done == started.report["looked_at"] == 2
    assert finish(started).report["looked_at"] == 5


def test_a_change_of_the_rules_meanwhile_changes_nothing_here(agent: Agent) -> None:
    rules_about_refunds(agent)
    started = start(draft_with(policy("any", decision="BLOCK")))
    services.save(Subject.POLICY, policy("any", decision="BLOCK"))

    assert finish(started).report["changes"]["ALLOW BLOCK"]["count"] == 3


def test_an_error_ends_it_with_a_sentence(agent: Agent) -> None:
    started = start(drafts.of())
    with patch.object(slices.Slice, "work", side_effect=ZeroDivisionError):
        jobs.run_backtests()

    started.refresh_from_db()
    assert started.error.endswith("log can tell.")
    assert jobs.run_backtests() == 0


def test_a_database_that_is_away_does_not_end_it() -> None:
    started = start(drafts.of())
    away = patch.object(slices.Slice, "work", side_effect=OperationalError)
    with away, pytest.raises(OperationalError):
        jobs.run_backtests()

    started.refresh_from_db()
    assert started.finished_at is None


def rules_about_refunds(agent: Agent) -> None:
    services.save(Subject.FLOW, flow(groups=["managers", "finance"], approvals=2))
    services.save(Subject.POLICY, policy("any", when="params.amount < 100"))
    services.save(Subject.POLICY, asking("large", when="params.amount >= 100"))
    for amount, currency in (
        (0.1, "USD"),
        (0.2, "USD"),
        (5, 7),
        (100, "EUR"),
        (300, "EUR"),
    ):
        make_action(agent, amount=amount, currency=currency, decision="ALLOW")


def test_it_tells_decisions_money_and_reviews(agent: Agent) -> None:
    rules_about_refunds(agent)

    data = report(
        draft_with(asking("large", when="params.amount < 1 || params.amount > 200"))
    )

    assert findings.movements(data) == [
        {
            "before": "ALLOW",
            "after": "REQUIRE_APPROVAL",
            "count": 2,
            "money": {"USD": "0.3"},
        },
        {
            "before": "REQUIRE_APPROVAL",
            "after": "BLOCK",
            "count": 1,
            "money": {"EUR": "100"},
        },
    ]
    assert findings.reviews(data, 2) == [
        {"group": "finance", "before": 2.0, "after": 3.0},
        {"group": "managers", "before": 2.0, "after": 3.0},
    ]
    assert (data["looked_at"], data["same"], data["not_as_then"]) == (5, 2, 2)
    assert [each["because"]["draft"] for each in data["latest"]] == [
        ["no_policy"],
        ["large"],
        ["large"],
    ]


def test_it_tells_what_could_not_be_evaluated(agent: Agent) -> None:
    rules_about_refunds(agent)

    data = report(draft_with(asking("large", when="params.vip == true")))

    assert data["unevaluable"] == {"live": 0, "draft": 5}


def test_policies_in_draft_and_on_trial_can_be_enforced(agent: Agent) -> None:
    rules_about_refunds(agent)
    services.save(Subject.POLICY, policy("one", decision="BLOCK", mode="draft"))
    wish = drafts.enforcing(drafts.live, {Mode.DRAFT})

    assert report(drafts.of())["changes"] == {}
    assert report(drafts.of(wish))["same"] == 0


def test_it_counts_for_a_lookback_that_is_new(agent: Agent) -> None:
    services.save(Subject.POLICY, policy("any"))
    for _ in range(3):
        make_action(agent, decision="ALLOW")
    make_lookback()
    services.save(
        Subject.POLICY,
        policy(
            "once",
            decision="BLOCK",
            when="history.customer_refunds.count > 0",
            mode="draft",
        ),
    )

    data = report(drafts.of(drafts.enforcing(drafts.live, {Mode.DRAFT})))

    assert data["changes"]["ALLOW BLOCK"]["count"] == 2


# In a terminal


def backtest(*arguments: str) -> str:
    out = StringIO()
    call_command("backtest", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_reports_in_words_and_in_json(agent: Agent, tmp_path: Any) -> None:
    rules_about_refunds(agent)
    file = tmp_path / "draft.yaml"
    file.write_text(
        "policies: [{name: large, actions: [refund.create], decision: BLOCK}]"
    )

    words = backtest(str(file), "--days", "2")
    data = json.loads(backtest(str(file), "--days", "2", "--json"))

    assert "5 actions in 2 days: 5 decided otherwise." in words
    assert "ALLOW → BLOCK" in words
    assert data["changes"][0]["count"] == 3
    assert not Backtest.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--days", "0"], "Write --days from 1 to 366."),
        (["--amount", "amount"], "Write --amount as a path"),
        (["nothing.yaml"], "nothing.yaml cannot be read"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        backtest(*arguments)
