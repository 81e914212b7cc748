"""Every recipe loads into an empty database, holds its own tests, and is what is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from textwrap import dedent

import pytest
from django.core.management import call_command

from policies import bodies, files, rows, trials
from policies.bodies import State, Subject
from policies.rules import Decision, Mode
from tests.test_docs import DOCS

ROOT = DOCS.parent
COOKBOOK = DOCS / "cookbook.md"
RECIPES = sorted((ROOT / "examples" / "cookbook").glob("*.yaml"))
each_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
# A moment that no recipe knows: what depends on the time must say which it means.
SOME_DAY = datetime(2031, 3, 8, 3, 3, tzinfo=UTC)


def rules_of(recipe: Path) -> State:
    return files.parse(recipe.read_bytes()).wish(bodies.empty())


def test_there_are_a_dozen() -> None:
    assert len(RECIPES) >= 12


@pytest.mark.django_db
@each_recipe
def test_it_loads_into_an_empty_database_and_holds_its_tests(recipe: Path) -> None:
    out = StringIO()

    call_command("load_policies", recipe, stdout=out, stderr=StringIO())
    call_command("test_policies", stdout=out)

    count = len(rules_of(recipe)[Subject.TEST])
    assert out.getvalue().endswith(f"{count} tests passed.\n")
    assert rows.read_all() == rules_of(recipe)


@each_recipe
def test_its_tests_do_not_depend_on_the_day(recipe: Path) -> None:
    failed = [each for each in trials.run_all(rules_of(recipe), SOME_DAY) if str(each)]

    assert not failed


@each_recipe
def test_its_tests_expect_more_than_one_thing(recipe: Path) -> None:
    tests = rules_of(recipe)[Subject.TEST].values()

    assert len(tests) >= 3
    assert len({test["expect"]["decision"] for test in tests} - {None}) >= 2


@each_recipe
def test_every_rule_of_it_matters_to_a_test(recipe: Path) -> None:
    """A rule that could be left out without a test noticing is not tested."""
    state = rules_of(recipe)
    for name, body in state[Subject.POLICY].items():
        if body["mode"] != Mode.ENFORCE:
            continue
        rest = bodies.copy(state)
        del rest[Subject.POLICY][name]
        assert any(map(str, trials.run_all(rest, SOME_DAY))), name


@each_recipe
def test_agents_cannot_get_round_it_by_leaving_things_out(recipe: Path) -> None:
    """Nothing that a recipe restricts goes through with no parameters at all."""
    state = rules_of(recipe)
    conditional = {
        action
        for body in state[Subject.POLICY].values()
        if body["decision"] == Decision.ALLOW and body["when"]
        for action in body["actions"]
    }
    tests = {
        action: bodies.read(
            Subject.TEST, {"name": "t", "action": action, "expect": "ALLOW"}
        )
        for action in conditional
    }
    tried = trials.run_all({**state, Subject.TEST: tests}, SOME_DAY)

    assert all(map(str, tried))


def printed() -> Iterator[tuple[str, str]]:
    """Yield what the cookbook prints of a file, with the name of that file."""
    text = COOKBOOK.read_text()
    for section in text.split("\n## ")[1:]:
        named = re.search(r"examples/cookbook/([a-z-]+)\.yaml", section)
        for block in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL):
            assert named
            yield named[1], block


def test_what_the_cookbook_prints_is_in_the_files() -> None:
    found = list(printed())
    assert {name for name, _ in found} == {recipe.stem for recipe in RECIPES}
    for name, block in found:
        recipe = (ROOT / "examples" / "cookbook" / f"{name}.yaml").read_text()
        for part in re.split(r"^ *# …\n", block, flags=re.MULTILINE):
            assert part.rstrip("\n") in recipe, dedent(part)


def test_every_recipe_has_its_section() -> None:
    text = COOKBOOK.read_text()

    for recipe in RECIPES:
        section = text.split(f"examples/cookbook/{recipe.name})")[-1].split("\n## ")[0]
        for part in ("**Who needs it.**", "**What it does.**", "**Adapt:**"):
            assert part in section, recipe.name
