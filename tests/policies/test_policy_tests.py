"""The tests in a policy file: run before every change, which a failing one stops."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from governance import clock
from governance.errors import Invalid
from governance.models import Event
from policies import bodies, files, services, trials
from policies.bodies import Subject
from policies.models import Policy, PolicyTest, Version
from tests.policies.making import factor, lookback, policy

RULES = """
action_types:
  - name: refund.create
    base_risk: 20
    params_schema: {required: [amount]}
resources: [{type: order, sensitivity: 5}]
lookbacks:
  - {name: refunds, actions: [refund.create], key: params.customer, window: 30d,
     sum: params.amount, distinct: params.order}
risk_factors:
  - {name: large, actions: [refund.create], when: params.amount > 100, points: 30}
flows:
  - {name: finance, stages: [{name: Finance, groups: [finance], timeout: 4h}]}
  - {name: managers, stages: [{name: Manager, groups: [managers], timeout: 4h}]}
policies:
  - {name: small, actions: [refund.create], when: params.amount < 50, decision: ALLOW}
  - {name: rest, actions: [refund.create], when: params.amount >= 50,
     decision: REQUIRE_APPROVAL, flow: managers}
  - {name: often, actions: [refund.create], when: history.refunds.count > 2,
     decision: REQUIRE_APPROVAL, flow: finance}
  - {name: much, actions: [refund.create], when: history.refunds.sum > 500.0,
     decision: BLOCK}
  - {name: night, actions: [refund.create], when: now.getHours() < 6, decision: BLOCK}
  - {name: staging, actions: [refund.create], decision: BLOCK,
     when: agent.environment == "staging" || "test" in agent.tags}
  - {name: tried, actions: [refund.create], decision: BLOCK, mode: monitor}
"""
NOON = "2026-11-25T12:00:00Z"

HOLD = [
    ({"params": {"amount": 49.99}}, "ALLOW"),
    ({"params": {"amount": 50}}, "REQUIRE_APPROVAL"),
    ({"params": {"amount": 20}}, {"policies": ["small"], "flows": [], "risk": 20}),
    (
        {
            "params": {"amount": 200},
            "resource": {"type": "order", "id": "1"},
            "history": {"refunds": {"count": 3}},
        },
        {
            "decision": "REQUIRE_APPROVAL",
            "policies": ["often", "rest"],
            "flows": ["finance", "managers"],
            "risk": 55,
        },
    ),
    ({"params": {"amount": 1}, "history": {"refunds": {"sum": 500.01}}}, "BLOCK"),
    ({"params": {"amount": 1}, "now": "2026-11-25T05:59:59Z"}, "BLOCK"),
    ({"params": {"amount": 1}, "agent": {"environment": "staging"}}, "BLOCK"),
    ({"params": {"amount": 1}, "agent": {"tags": ["test"]}}, "BLOCK"),
]
FAIL = [
    (
        {"params": {"amount": 75}},
        "ALLOW",
        "expected ALLOW, got REQUIRE_APPROVAL: "
        "small did not match: params.amount is 75; rest matched: params.amount is 75",
    ),
    (
        {"params": {"amount": "75"}},
        "ALLOW",
        'small could not be evaluated: params.amount is "75"',
    ),
    ({"params": {}}, "ALLOW", "params does not fit the schema: 'amount' is a required"),
    ({"action": "mail.send"}, "ALLOW", "expected ALLOW, got BLOCK: no_policy"),
    (
        {"params": {"amount": 1}},
        "BLOCK",
        "expected BLOCK, got ALLOW: small matched: params.amount is 1; "
        "much did not match: history.refunds.sum is 0; night did not match; ",
    ),
    ({"params": {"amount": 1}}, "BLOCK", "tried (mode monitor) matched"),
    (
        {"params": {"amount": 75}},
        {"policies": ["small"]},
        "expected policies small, got rest",
    ),
    ({"params": {"amount": 1}}, {"flows": ["managers"]}, "expected flows managers, got none"),
    ({"params": {"amount": 101}}, {"risk": 20}, "expected risk 20, got 50"),
]  # fmt: skip


def tried(sample: dict[str, Any], expect: Any) -> trials.Trial:
    state = files.parse(RULES.encode()).wish(bodies.empty())
    raw = {"action": "refund.create", "now": NOON, **sample, "expect": expect}
    body = bodies.read(Subject.TEST, {"name": "t", **raw})
    state[Subject.TEST]["t"] = body
    return trials.run_all(state, clock.now())[0]


@pytest.mark.django_db
@pytest.mark.parametrize(("sample", "expect"), HOLD)
def test_the_rules_say_what_is_expected(sample: dict[str, Any], expect: Any) -> None:
    assert str(tried(sample, expect)) == ""


@pytest.mark.django_db
@pytest.mark.parametrize(("sample", "expect", "words"), FAIL)
def test_it_says_what_differs_and_why(
    sample: dict[str, Any], expect: Any, words: str
) -> None:
    trial = tried(sample, expect)

    assert not trial.passed
    assert words in str(trial)


Load = Callable[..., tuple[str, str]]
TESTS = """
tests:
  - {name: 49-goes-through, action: refund.create, params: {amount: 49}, expect: ALLOW,
     now: 2026-11-25T12:00:00Z}
"""
BROKEN = RULES.replace("< 50", "< 40")


@pytest.fixture
def call(tmp_path: Path, db: None) -> Load:
    """Call a command on a text, and return what was written to stdout and stderr."""

    def call(command: str, text: str, *options: str) -> tuple[str, str]:
        file = tmp_path / "rules.yaml"
        file.write_text(text)
        out, err = StringIO(), StringIO()
        arguments = [str(file), *options] if text else options
        try:
            call_command(command, *arguments, stdout=out, stderr=err)
        except CommandError as error:
            return f"{out.getvalue()}refused: {error}", err.getvalue()
        return out.getvalue(), err.getvalue()

    return call


def test_tests_are_stored_and_versioned_like_rules(call: Load) -> None:
    out, _ = call("load_policies", RULES + TESTS)
    assert "+ test 49-goes-through\n    name: 49-goes-through\n" in out

    out, _ = call("load_policies", RULES + TESTS.replace("49}", "48}"))
    assert "    params.amount: 49 → 48\n" in out

    assert PolicyTest.objects.get().body["params"] == {"amount": 48}
    numbers = Version.objects.filter(subject="test").values_list("number", flat=True)
    assert sorted(numbers) == [1, 2]
    assert call("load_policies", RULES + TESTS.replace("49}", "48}"))[0].startswith(
        "Nothing to change"
    )


def test_a_failing_test_stops_the_load(call: Load) -> None:
    out, err = call("load_policies", BROKEN + TESTS)

    assert out.startswith("refused: 1 mistake in ")
    line = (BROKEN + TESTS).splitlines().index(TESTS.splitlines()[2]) + 1
    assert (
        f"rules.yaml:{line}: tests[0].expect: The test 49-goes-through fails: " in err
    )
    assert "small did not match: params.amount is 49" in err
    assert not Policy.objects.exists()
    assert not PolicyTest.objects.exists()
    assert not Event.objects.exists()


def test_a_dry_run_runs_them_as_well(call: Load) -> None:
    out, err = call("load_policies", BROKEN + TESTS, "--dry-run")

    assert out.startswith("refused: 1 mistake")
    assert "The test 49-goes-through fails" in err


def test_a_test_that_the_file_does_not_name_stops_it_too(call: Load) -> None:
    call("load_policies", RULES + TESTS)

    out, err = call("load_policies", BROKEN)

    assert out.startswith("refused: 1 mistake in ")
    assert "rules.yaml:1: The test 49-goes-through fails: expected ALLOW" in err
    assert "It is not in this file." in err
    assert Policy.objects.get(name="small").when == "params.amount < 50"


def test_pruning_removes_the_tests_that_the_file_does_not_name(call: Load) -> None:
    call("load_policies", RULES + TESTS)

    out, _ = call("load_policies", BROKEN, "--prune")

    assert "- test 49-goes-through\n" in out
    assert not PolicyTest.objects.exists()


def test_tests_are_not_run_on_rules_that_are_mistaken_anyhow(call: Load) -> None:
    _, err = call("load_policies", RULES.replace("< 50", "<") + TESTS)

    assert "policies[0].when" in err
    assert "tests[0]" not in err


def test_a_lookback_that_is_not_there_is_a_mistake(call: Load) -> None:
    text = RULES + TESTS.replace("expect", "history: {refund: {count: 1}}, expect")

    _, err = call("load_policies", text)

    assert "tests[0].history.refund: There is no lookback refund. Did you mean" in err


def test_every_change_runs_them(call: Load) -> None:
    call("load_policies", RULES + TESTS)
    changed = policy("small", when="params.amount < 49")

    with pytest.raises(services.Unfitting, match="The test 49-goes-through fails"):
        services.save(Subject.POLICY, changed)
    with pytest.raises(services.Unfitting, match="The test 49-goes-through fails"):
        services.retire("small")
    with pytest.raises(services.Unfitting) as caught:
        services.save(Subject.POLICY, policy("new", decision="BLOCK"))
    services.save(Subject.RISK_FACTOR, factor())

    assert [problem.path for problem in caught.value.errors] == ["/expect"]
    assert [problem.code for problem in caught.value.errors] == ["test_failed"]
    assert not Policy.objects.filter(name="new").exists()


def test_a_changed_test_does_not_run_the_others(call: Load) -> None:
    """What the clock has broken meanwhile must be mendable, one after the other."""
    call("load_policies", RULES + TESTS)
    PolicyTest.objects.create(
        name="stale",
        body={
            name: value
            for name, value in bodies.read(
                Subject.TEST, {"action": "a", "expect": "ALLOW"}
            ).items()
            if name != "name"
        },
    )

    services.save(
        Subject.TEST,
        {"name": "new", "action": "mail.send", "expect": "BLOCK"},
    )
    with pytest.raises(services.Unfitting, match="The test stale fails"):
        services.save(Subject.RISK_FACTOR, factor())
    services.remove(Subject.TEST, "stale")
    services.save(Subject.RISK_FACTOR, factor())


def test_a_test_holds_on_to_the_lookbacks_it_names() -> None:
    state = files.parse(RULES.encode()).wish(bodies.empty())
    raw = {"name": "t", "action": "a", "history": {"refunds": {}}, "expect": "BLOCK"}
    state[Subject.TEST]["t"] = bodies.read(Subject.TEST, raw)
    state[Subject.POLICY] = {}

    with pytest.raises(services.InUse, match="refunds is still used by test t"):
        services.without(state, Subject.LOOKBACK, "refunds")


def test_the_command_runs_what_is_stored(call: Load) -> None:
    call("load_policies", RULES + TESTS)
    assert call("test_policies", "") == (
        "ok      49-goes-through\n1 test passed.\n", "",
    )  # fmt: skip

    Policy.objects.filter(name="small").update(when="params.amount < 40")
    out, _ = call("test_policies", "")

    assert "failed  49-goes-through: expected ALLOW, got BLOCK: no_policy" in out
    assert out.endswith("refused: 1 of 1 test failed.")


def test_the_command_runs_a_file_and_changes_nothing(call: Load) -> None:
    call("load_policies", RULES)
    events = Event.objects.count()

    assert call("test_policies", RULES + TESTS)[0].endswith("1 test passed.\n")
    assert call("test_policies", BROKEN + TESTS)[0].endswith("1 of 1 test failed.")
    # A file of tests alone is tried on the rules that are there.
    assert call("test_policies", TESTS)[0].endswith("1 test passed.\n")

    assert Event.objects.count() == events
    assert not PolicyTest.objects.exists()


def test_the_command_names_the_mistakes_of_a_file(call: Load) -> None:
    out, err = call("test_policies", "tests: [{action: a, expect: MAYBE}]")

    assert out.startswith("refused: 1 mistake in ")
    assert "rules.yaml:1: tests[0].expect.decision: Write one of ALLOW" in err


def test_no_tests_is_no_failure(call: Load) -> None:
    assert call("test_policies", "")[0] == "There are no tests.\n"


@pytest.mark.django_db
def test_a_history_is_checked_when_it_is_saved() -> None:
    services.save(Subject.LOOKBACK, lookback())
    for found in ({"count": -1}, {"count": "5"}, {"sum": True}, {"total": 5}, 5):
        with pytest.raises(Invalid) as caught:
            services.save(
                Subject.TEST,
                {
                    "action": "a",
                    "history": {"customer_refunds": found},
                    "expect": "BLOCK",
                },
            )
        assert caught.value.errors[0].path.startswith("/history/customer_refunds")
