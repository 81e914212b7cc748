"""What the documents list is what there is: codes, settings, files, and examples."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies import files, services
from tests.test_architecture import LAYERS, ROOT, modules

DOCS = ROOT / "docs"
# Functions that are given a code, and as which of their arguments.
SAY_NO = {"_refuse": 0, "refuse": 0, "NotPortable": 0, "Problem": 1}
# Places in a rule file are named by line and key; their codes stay inside.
WITH_PLACES = {"governance", "approvals"}


def nodes(module: Path) -> Iterator[ast.AST]:
    yield from ast.walk(ast.parse(module.read_text()))


def codes() -> set[str]:
    return {code for app in LAYERS for m in modules(app) for code in _codes(app, m)}


def _codes(app: str, module: Path) -> Iterator[str]:
    for node in nodes(module):
        if isinstance(node, ast.ClassDef):
            yield from _own_code(node)
        elif isinstance(node, ast.Call):
            named = [k.value for k in node.keywords if k.arg == "code"]
            yield from _texts(named)
            position = SAY_NO.get(ast.unparse(node.func).split(".")[-1])
            if app in WITH_PLACES and position is not None:
                yield from _texts(node.args[position : position + 1])


def _own_code(node: ast.ClassDef) -> Iterator[str]:
    for line in node.body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code":
            yield from _texts([line.value])


def _texts(values: list[ast.expr]) -> Iterator[str]:
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def settings() -> set[str]:
    """Return the names that are read from the environment."""
    return {
        name
        for module in ("settings.py", "start.py")
        for node in nodes(ROOT / "config" / module)
        if isinstance(node, ast.Call)
        and re.fullmatch(r"env\.\w+", ast.unparse(node.func))
        for name in _texts(node.args[:1])
    }


def listed(document: str) -> set[str]:
    """Return what stands in backticks in the tables of a document."""
    lines = (DOCS / document).read_text().splitlines()
    return {
        word
        for line in lines
        if line[:1] == "|"
        for word in re.findall("`(.*?)`", line)
    }


def test_every_code_is_listed() -> None:
    assert len(codes()) > 60
    assert codes() <= listed("api.md")


def test_every_setting_is_listed() -> None:
    assert {"DATABASE_URL", "DJANGO_SUPERUSER_PASSWORD"} <= settings()
    assert settings() <= listed("operations.md")


def policy_files() -> list[str]:
    """Return the examples that are whole files: they begin like one."""
    text = (DOCS / "policies.md").read_text()
    found = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return [each for each in found if "version: 1" in each]


@pytest.mark.django_db
@pytest.mark.parametrize("text", policy_files(), ids=range(1, len(policy_files()) + 1))
def test_policy_files_load(text: str) -> None:
    assert services.preview(files.parse(text.encode()).wish)


@pytest.mark.parametrize("file", sorted(DOCS.rglob("*.md")), ids=lambda f: f.name)
def test_what_it_links_to_is_there(file: Path) -> None:
    text = file.read_text()
    for link in re.findall(r"\]\(((?!http)[^)]+)\)", text):
        path, _, heading = link.partition("#")
        target = file.parent / path if path else file
        assert target.exists(), link
        assert not heading or heading in headings(target), link


def headings(file: Path) -> set[str]:
    """Return the anchors of a document's headings."""
    lines = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line).lower().replace(" ", "-") for line in lines}
