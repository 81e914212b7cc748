"""Simulating: what the rules would say to an action that nobody asked for."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any
from unittest.mock import patch

import pytest
from django.core.management import CommandError, call_command

from governance import clock
from governance.errors import Invalid
from governance.models import Action, Agent, Event
from policies import drafts, services, simulation
from policies.bodies import Subject, read
from policies.simulation import Simulation
from tests.policies.making import (
    asking,
    flow,
    lookback,
    make_action,
    make_lookback,
    policy,
)
from tests.policies.test_backtests import draft_with

pytestmark = pytest.mark.django_db
SAMPLE = {"action": "refund.create", "params": {"customer_id": "C-7", "amount": 20}}


@pytest.fixture(autouse=True)
def _rules() -> None:
    services.save(Subject.FLOW, flow())
    make_lookback(sum="params.amount")
    services.save(Subject.POLICY, policy("any"))
    services.save(
        Subject.POLICY, asking("repeat", when="history.customer_refunds.count > 0")
    )


def simulate(draft: drafts.Draft | None = None, **sample: Any) -> Simulation:
    body = simulation.read({**SAMPLE, **sample})
    return simulation.simulate(draft or drafts.of(), body, clock.now())


def test_it_counts_what_really_happened(agent: Agent) -> None:
    assert simulate().live.decision == "ALLOW"

    make_action(agent)
    # A lookback that changes is counted anew.
    services.save(Subject.LOOKBACK, lookback(sum="params.amount", window="31d"))

    assert simulate().live.decision == "REQUIRE_APPROVAL"
    assert Action.objects.count() == 1


def test_a_moment_of_the_past_knows_nothing_of_what_came_later(agent: Agent) -> None:
    make_action(agent, age=timedelta(days=2))

    then = (clock.now() - timedelta(days=3)).isoformat()
    assert simulate(now=then).live.decision == "ALLOW"

    later = (clock.now() - timedelta(days=1)).isoformat()
    assert simulate(now=later).live.decision == "REQUIRE_APPROVAL"


def test_what_the_sample_says_of_history_is_taken_as_given(agent: Agent) -> None:
    make_action(agent)

    given = {"customer_refunds": {"count": 0}}
    assert simulate(history=given).live.decision == "ALLOW"


def test_a_draft_is_told_beside_the_rules_in_force() -> None:
    found = simulate(draft_with(policy("any", decision="BLOCK")))

    assert (found.live.decision, found.draft.decision) == ("ALLOW", "BLOCK")
    data = simulation.as_data(found)
    assert data["draft"]["reasons"][0]["version"] == 2


def test_a_lookback_of_a_draft_is_counted_from_the_record(agent: Agent) -> None:
    for _ in range(3):
        make_action(agent, amount=10, decision="ALLOW")
    make_action(agent, amount=10, decision="REQUIRE_APPROVAL")
    automatic = lookback("automatic", key="", sum="params.amount", decision="ALLOW")
    when = "history.automatic.sum + params.amount > 49.0"
    changes = [
        ("lookback", "automatic", read(Subject.LOOKBACK, automatic)),
        ("policy", "over", read(Subject.POLICY, asking("over", when=when))),
    ]

    found = simulate(drafts.of(drafts.changed(changes)))

    history = found.draft.trace["lookbacks"]["automatic"]
    assert (history["count"], history["sum"]) == (3, 30.0)
    assert [reason.policy for reason in found.draft.reasons] == ["over", "any"]


def test_it_says_when_not_everything_was_counted(agent: Agent) -> None:
    for age in (3, 2):
        make_action(agent, age=timedelta(days=age))
    then = (clock.now() - timedelta(days=1)).isoformat()

    with patch.object(simulation, "MOST_COUNTED", 1):
        found = simulate(now=then)

    assert found.cut_short == ["customer_refunds"]
    assert found.live.trace["lookbacks"]["customer_refunds"]["count"] == 1


def test_an_agent_is_known_by_its_name(agent: Agent) -> None:
    assert simulate(agent="refund-bot").facts.agent.name == "refund-bot"
    assert simulate(agent={"tags": ["pii"]}).facts.agent.tags == ("pii",)


@pytest.mark.parametrize(
    ("sample", "path"),
    [
        ({"agent": "nobody"}, "/agent"),
        ({"history": {"x": {"count": True}}}, "/history/x/count"),
        ({"history": {"x": 3}}, "/history/x"),
        ({"history": {"x": {"most": 3}}}, "/history/x/most"),
        ({"now": "yesterday"}, "/now"),
        ({"action": "Refund"}, "/action"),
        ({"resource": {"type": "order"}}, "/resource/id"),
        ({"expect": "ALLOW"}, "/expect"),
    ],
)
def test_a_sample_with_a_mistake_is_refused_at_its_place(
    sample: dict[str, Any], path: str
) -> None:
    with pytest.raises(Invalid) as refused:
        simulation.read({**SAMPLE, **sample})
    assert [problem.path for problem in refused.value.errors] == [path]


def test_it_says_what_the_catalogue_would_refuse() -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}}
    kind = {"name": "refund.create", "params_schema": schema}
    services.save(Subject.ACTION_TYPE, kind)

    (problem,) = simulate(params={"amount": "20"}).refused
    assert problem.path == "/params/amount"


# In a terminal


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("simulate", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_shows_how_it_comes_about(agent: Agent, tmp_path: Any) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text("policies: [{name: any, actions: ['*'], decision: BLOCK}]")
    events = Event.objects.count()

    text = run(
        str(file), "--action", "refund.create", "--params", '{"customer_id": "C-7"}',
        "--agent", "refund-bot", "--resource", '{"type": "order", "id": "1"}',
    )  # fmt: skip

    assert "live: ALLOW → draft: BLOCK" in text
    assert "looked at" in text
    assert "customer_refunds" in text
    assert Event.objects.count() == events


def test_the_command_answers_in_json_to_a_sample_in_a_file(tmp_path: Any) -> None:
    file = tmp_path / "sample.json"
    file.write_text(json.dumps(SAMPLE))

    data = json.loads(run("--sample", str(file), "--json"))

    assert data["live"]["decision"] == "ALLOW"
    assert "draft" not in data


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "action: Write action as well."),
        (["--action", "a.b", "--params", "{"], "--params: The value is not valid JSON"),
        (["--action", "a.b", "--agent", "nobody"], "There is no agent nobody."),
        (["--sample", "nothing.json"], "nothing.json cannot be read"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run(*arguments)


def test_a_file_with_mistakes_is_not_tried(tmp_path: Any) -> None:
    file = tmp_path / "draft.yaml"
    file.write_text("policies: [{name: any, actions: ['*']}]")
    errors = StringIO()

    with pytest.raises(CommandError, match="1 mistake in"):
        call_command("simulate", str(file), stdout=StringIO(), stderr=errors)
    assert "decision" in errors.getvalue()
