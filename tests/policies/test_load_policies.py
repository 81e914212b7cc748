from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import models

from governance.models import ActionType, Event, Resource, User
from policies import services
from policies.bodies import Subject
from policies.models import Flow, Lookback, Policy, RiskFactor, RuleSet, Version
from tests.policies.making import asking, factor, flow, lookback, policy

pytestmark = pytest.mark.django_db

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "refunds.yaml"
SMALL = """
flows:
  - name: managers
    stages:
      - {name: Manager, groups: [managers], timeout: 4h}
policies:
  - {name: small, actions: [refund.create], when: params.amount < 50, decision: ALLOW}
  - name: large
    actions: [refund.create]
    when: params.amount >= 50
    decision: REQUIRE_APPROVAL
    flow: managers
"""
Load = Callable[..., tuple[str, str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a text, and return what was written to stdout and to stderr."""

    def load(text: str, *options: str, **more: Any) -> tuple[str, str]:
        file = tmp_path / "rules.yaml"
        file.write_text(text)
        out, err = StringIO(), StringIO()
        try:
            call_command(
                "load_policies", file, *options, stdout=out, stderr=err, **more
            )
        except CommandError as error:
            return f"{out.getvalue()}refused: {error}", err.getvalue()
        return out.getvalue(), err.getvalue()

    return load


def dump() -> dict[str, list[dict[str, Any]]]:
    """Every row of every rule, and of what is on record about them."""
    found: list[type[models.Model]] = [*apps.get_app_config("policies").get_models()]
    found += [ActionType, Resource, Event, Group]
    return {
        model.__name__: list(model._default_manager.order_by("pk").values())
        for model in found
    }


def names() -> list[str]:
    return list(Policy.objects.order_by("position").values_list("name", flat=True))


def test_it_loads_the_example_whole() -> None:
    out, err = StringIO(), StringIO()
    call_command("load_policies", EXAMPLE, stdout=out, stderr=err)

    counts = {
        model: model._default_manager.count() for model in (Flow, Lookback, Resource)
    }
    assert counts == {Flow: 2, Lookback: 1, Resource: 1}
    assert names()[:4] == [
        "small-refunds",
        "refunds-50-to-200",
        "refunds-over-200",
        "repeat-refund",
    ]
    manager = Flow.objects.get(name="managers").stages.get()
    assert manager.on_timeout == "escalate"
    assert [group.name for group in manager.escalate_to.all()] == ["finance"]
    assert out.getvalue().splitlines()[-1].endswith("0 changed, 0 retired or removed.")


def test_it_prints_a_plan_a_person_can_read(load: Load) -> None:
    load(SMALL)

    out, _ = load(SMALL.replace("< 50", "< 20").replace("timeout: 4h", "timeout: 5h"))

    assert out.splitlines() == [
        "~ flow managers",
        "    stages[0].timeout: 4h → 5h",
        "~ policy small",
        "    when: params.amount < 50 → params.amount < 20",
        "Done: 0 new, 2 changed, 0 retired or removed.",
    ]


def test_what_is_new_is_listed_with_its_fields(load: Load) -> None:
    out, _ = load(SMALL)

    assert "+ policy small\n" in out
    assert "    when: params.amount < 50\n" in out


def test_loading_twice_changes_nothing_and_says_so(load: Load) -> None:
    load(SMALL)
    before = dump()

    out, _ = load(SMALL)

    assert out == "Nothing to change: the rules already say this.\n"
    assert dump() == before


@pytest.mark.parametrize("prune", [[], ["--prune"]])
def test_a_dry_run_shows_the_plan_and_changes_nothing(
    load: Load, prune: list[str]
) -> None:
    services.save(Subject.RISK_FACTOR, factor())
    before = dump()

    out, err = load(SMALL, "--dry-run", *prune)

    assert "+ policy large" in out
    assert ("- risk factor repeat" in out) == bool(prune)
    assert "Nothing was changed" in out
    assert "The group managers did not exist and would be created, empty." in err
    assert dump() == before


def test_a_file_with_a_mistake_changes_nothing(load: Load) -> None:
    before = dump()

    out, err = load(SMALL + "  - {name: third, actions: [a], decision: ALOW}\n")

    assert out.startswith("refused: 1 mistake in ")
    assert "rules.yaml:13: policies[2].decision: Write one of ALLOW" in err
    assert dump() == before


def test_a_mistake_that_only_the_database_shows_changes_nothing(load: Load) -> None:
    before = dump()

    _, err = load(SMALL.replace("params.amount < 50", "history.nope.count == 0"))

    assert "rules.yaml:7: policies[0].when: There is no 'history.nope.count'" in err
    assert dump() == before


def test_a_mistake_exits_with_1(load: Load) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("load_policies", "/nowhere.yaml")

    assert caught.value.returncode == 1
    assert "cannot be read" in str(caught.value)


def test_control_characters_do_not_reach_the_terminal(load: Load) -> None:
    _, err = load('"pol\\e[31micies": []')

    assert "\x1b" not in err


def test_what_the_file_does_not_name_is_left_alone(load: Load) -> None:
    services.save(Subject.POLICY, policy("other"))
    services.save(Subject.DEFAULT, {"decision": "BLOCK"})

    load(SMALL)

    assert Policy.objects.get(name="other").mode == "enforce"
    assert RuleSet.objects.get().default_decision == "BLOCK"


def test_pruning_retires_policies_and_removes_the_rest(load: Load) -> None:
    services.save(Subject.FLOW, flow("others"))
    services.save(Subject.POLICY, policy("other"))
    services.save(Subject.LOOKBACK, lookback())
    services.save(Subject.RISK_FACTOR, factor())
    services.save(Subject.ACTION_TYPE, {"name": "mail.send"})
    services.save(Subject.RESOURCE, {"type": "order"})
    services.save(Subject.DEFAULT, {"decision": "BLOCK"})

    out, _ = load(SMALL, "--prune")

    assert "- policy other\n    mode: enforce → retired\n" in out
    assert "Done: 3 new, 0 changed, 7 retired or removed." in out
    assert Policy.objects.get(name="other").mode == "retired"
    for model in (Lookback, RiskFactor, ActionType, Resource):
        assert not model._default_manager.exists()
    assert [each.name for each in Flow.objects.all()] == ["managers"]
    assert RuleSet.objects.get().default_decision == ""


def test_pruning_keeps_what_is_still_needed_and_says_so(load: Load) -> None:
    load(SMALL)
    services.save(Subject.LOOKBACK, lookback())
    when = "history.customer_refunds.count > 0"
    file = f"policies: [{{name: repeat, actions: [a], decision: BLOCK, when: {when}}}]"

    _, err = load(file, "--prune")

    assert "The flow managers stays: it is used by policy large." in err
    assert "The lookback customer_refunds stays: it is used by policy repeat." in err
    assert Lookback.objects.exists()


def test_pruning_twice_changes_nothing(load: Load) -> None:
    services.save(Subject.POLICY, policy("other"))
    load(SMALL, "--prune")

    out, _ = load(SMALL, "--prune")

    assert out == "Nothing to change: the rules already say this.\n"


def test_a_retired_policy_comes_back_when_the_file_names_it(load: Load) -> None:
    services.save(Subject.POLICY, policy("small"))
    services.retire("small")

    out, _ = load(SMALL)

    assert "mode: retired → enforce" in out
    assert Policy.objects.get(name="small").version == 3


def test_the_order_is_the_one_of_the_file(load: Load) -> None:
    load("policies:" + "".join(f"\n  - {p}" for p in map(_line, "abc")))

    out, _ = load("policies:" + "".join(f"\n  - {p}" for p in map(_line, "xcayb")))

    assert "~ order of policy: a, b, c → c, a, b" in out
    assert names() == ["x", "c", "a", "y", "b"]


def test_two_files_in_turn_leave_each_other_alone(load: Load) -> None:
    one = "policies:" + "".join(f"\n  - {p}" for p in map(_line, "ab"))
    other = "policies:" + "".join(f"\n  - {p}" for p in map(_line, "yz"))
    load(one)
    load(other)

    for file in (one, other):
        assert load(file)[0].startswith("Nothing to change")

    assert names() == ["a", "b", "y", "z"]


def test_missing_groups_are_created_empty_with_a_warning(load: Load) -> None:
    _, err = load(SMALL)

    assert "Warning: The group managers did not exist and was created, empty." in err
    assert not Group.objects.get(name="managers").user_set.exists()


def test_a_stage_that_nobody_could_satisfy_is_a_warning(load: Load) -> None:
    group = Group.objects.create(name="managers")
    User.objects.create_user("gone", is_active=False).groups.add(group)
    _, err = load(SMALL)
    assert "Nobody could satisfy the stage Manager of the flow managers" in err

    User.objects.create_user("alice").groups.add(group)
    _, err = load(SMALL)
    assert err == ""


def test_a_stage_that_asks_more_people_than_there_are_is_a_warning(load: Load) -> None:
    group = Group.objects.create(name="managers")
    User.objects.create_user("alice").groups.add(group)

    _, err = load(SMALL.replace("timeout: 4h", "timeout: 4h, approvals: 2"))

    assert "1 of the 2 it asks for are in managers." in err


def test_the_author_and_the_note_are_on_record(load: Load, charlie: User) -> None:
    load(SMALL, author="charlie", note="Q3 limits.")

    version = Version.objects.get(subject="policy", name="small")
    assert (version.revision.author, version.revision.note) == (charlie, "Q3 limits.")
    assert Event.objects.filter(actor_name="charlie").count() == 3


def test_an_unknown_author_is_refused(load: Load) -> None:
    out, _ = load(SMALL, author="nobody")

    assert "There is no user nobody." in out


def test_a_default_can_be_loaded(load: Load) -> None:
    load(SMALL + "default: {decision: REQUIRE_APPROVAL, flow: managers}\n")

    row = RuleSet.objects.get()
    assert row.default_flow
    assert row.default_flow.name == "managers"


def test_flows_and_what_names_them_change_together(load: Load) -> None:
    load(SMALL)

    out, _ = load(SMALL.replace("managers", "bosses"), "--prune")

    assert "- flow managers" in out
    assert Policy.objects.get(name="large").flow == Flow.objects.get()


def test_one_file_is_one_revision(load: Load) -> None:
    load(SMALL)

    assert RuleSet.objects.get().revision == 1


def test_asking_is_made_as_the_file_says(load: Load) -> None:
    load(SMALL)

    assert not services.save(Subject.POLICY, asking(when="params.amount >= 50")).plan


def _line(name: str) -> str:
    return f"{{name: {name}, actions: [x], decision: ALLOW}}"
