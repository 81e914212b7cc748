"""The rules of the house that the import system will not enforce for us."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Each app may import itself and the apps before it.
LAYERS = ["governance", "policies", "approvals", "notifications", "config"]
SERVICES = ROOT / "approvals" / "services"
COURSE = ROOT / "approvals" / "course.py"
CLOCK = ROOT / "governance" / "clock.py"
# Tells an operator when the database's clock and this machine's have drifted apart.
COMPARES_CLOCKS = ROOT / "config" / "checks.py"
# Facts in, verdict out: nothing here may know of a database.
PURE = [
    *(
        f"policies/{name}.py"
        for name in (
            "calendars",
            "cel",
            "compiled",
            "dialect",
            "durations",
            "engine",
            "explanation",
            "expressions",
            "flows",
            "patterns",
            "phrases",
            "reading",
            "rules",
            "samples",
            "schemas",
            "situation",
            "summaries",
            "values",
            "tallies",
            "tracing",
        )
    ),
    "approvals/figures/counts.py",
    "approvals/figures/histogram.py",
    "governance/canonical.py",
    "governance/strict_json.py",
    "governance/text_safety.py",
]


def modules(app: str) -> Iterator[Path]:
    for module in sorted((ROOT / app).rglob("*.py")):
        if "migrations" not in module.parts:
            yield module


def imported(module: Path) -> set[str]:
    """The full names a module imports, wherever in the file it does so."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def tops(module: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(module)}


@pytest.mark.parametrize("app", LAYERS)
def test_apps_only_import_the_layers_below(app: str) -> None:
    above = set(LAYERS[LAYERS.index(app) + 1 :])
    for module in modules(app):
        assert not tops(module) & above, module


def test_only_services_change_the_life_of_an_action() -> None:
    for app in LAYERS:
        for module in modules(app):
            if SERVICES in module.parents or module == COURSE:
                continue
            for node in ast.walk(ast.parse(module.read_text())):
                assert not writes_status(node), f"{module}:{getattr(node, 'lineno', 0)}"


def writes_status(node: ast.AST) -> bool:
    """Whether this is ``action.status = …`` or ``update(status=…)``."""
    if isinstance(node, ast.Assign):
        targets = [t for t in node.targets if isinstance(t, ast.Attribute)]
        return any(t.attr == "status" and names_an_action(t.value) for t in targets)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        named = {keyword.arg for keyword in node.keywords}
        return node.func.attr == "update" and "status" in named
    return False


def names_an_action(node: ast.AST) -> bool:
    return "action" in ast.unparse(node)


def test_the_course_of_a_request_does_not_touch_the_database() -> None:
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(COURSE.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not calls & {"save", "create", "filter", "get_or_create", "delete"}


@pytest.mark.parametrize("path", PURE)
def test_what_is_pure_knows_no_database(path: str) -> None:
    module = ROOT / path
    assert "django" not in tops(module)
    for name in imported(module):
        assert not name.endswith((".models", "models")), name


def test_there_is_one_clock() -> None:
    for app in LAYERS:
        for module in modules(app):
            if module in (CLOCK, COMPARES_CLOCKS):
                continue
            names = {
                ast.unparse(node.func)
                for node in ast.walk(ast.parse(module.read_text()))
                if isinstance(node, ast.Call)
            }
            forbidden = {"timezone.now", "datetime.now", "datetime.utcnow"}
            assert not names & forbidden, module


def test_domain_modules_do_not_import_the_web_framework_of_the_api() -> None:
    for app in LAYERS:
        for module in modules(app):
            if "api" in module.parts or app == "config":
                continue
            assert "rest_framework" not in tops(module), module
