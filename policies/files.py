"""What does a policy file say?

All mistakes in a file are found in one go, each with its line and key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies import bodies, fields, yaml_tree
from policies.bodies import Subject
from policies.documents import Document, Mistaken
from policies.fields import Unfit
from policies.yaml_tree import Mistake, Path, Tree

VERSION = 1
SECTIONS: Mapping[str, Subject] = {
    "calendars": Subject.CALENDAR,
    "action_types": Subject.ACTION_TYPE,
    "resources": Subject.RESOURCE,
    "lookbacks": Subject.LOOKBACK,
    "risk_factors": Subject.RISK_FACTOR,
    "flows": Subject.FLOW,
    "policies": Subject.POLICY,
    "tests": Subject.TEST,
}
_ANY_JSON = ("params_schema", "params", "context")
KEYS = ("version", "default", *SECTIONS)
_NOT_TEXT = {
    "version", "base_risk", "reversible", "params_schema", "sensitivity", "points",
    "approvals", "step", "auto_approve_max_risk", "rejections", "max_risk", "params",
    "context", "history", "risk",
}  # fmt: skip


def parse(raw: bytes) -> Document:
    """Read a policy file. Raises ``Mistaken`` if it is no YAML.

    Other mistakes are kept with the document: some more are found when it is loaded.
    """
    try:
        tree = yaml_tree.load(raw, _is_text)
    except yaml_tree.Unreadable as unreadable:
        raise Mistaken([unreadable.mistake]) from None
    document = Document(tree)
    document.mistakes += [*tree.mistakes, *_read(document)]
    return document


def _is_text(path: Path) -> bool:
    names = [part for part in path if isinstance(part, str)]
    return bool(names) and _NOT_TEXT.isdisjoint(names)


def _read(document: Document) -> Iterator[Mistake]:
    tree = document.tree
    if not isinstance(tree.value, dict):
        yield tree.mistake((), "A policy file is a mapping: policies: and so on.")
        return
    for key in tree.value:
        if key not in KEYS:
            detail = f"There is no such section. {fields.nearest(key, KEYS)}"
            yield tree.mistake((key,), detail)
    if (
        tree.value.get("version", VERSION) != VERSION
        or tree.value.get("version") is True
    ):
        yield tree.mistake(("version",), f"Write version: {VERSION}.")
    if "default" in tree.value:
        yield from _read_rule(document, Subject.DEFAULT, ("default",))
    for section, subject in SECTIONS.items():
        yield from _read_section(document, section, subject)


def _read_section(
    document: Document, section: str, subject: Subject
) -> Iterator[Mistake]:
    items = document.tree.value.get(section, [])
    if not isinstance(items, list):
        yield document.tree.mistake((section,), "Write a list here: - name: …")
        return
    for index in range(len(items)):
        yield from _read_rule(document, subject, (section, index))


def _read_rule(document: Document, subject: Subject, path: Path) -> Iterator[Mistake]:
    tree = document.tree
    raw = tree.at(path)
    yield from _nulls(tree, raw, path)
    try:
        body = bodies.read(subject, raw)
    except Unfit as unfit:
        for problem in unfit.problems:
            yield document.mistake(path, problem)
        document.keep_place(subject, raw)
        return
    place = subject, bodies.name_of(subject, body)
    if place in document.places:
        line = tree.lines[document.places[place]]
        where = path if subject is Subject.RESOURCE else (*path, "name")
        yield tree.mistake(where, f"{place[1]} is already there, on line {line}.")
    document.places[place] = path
    document.rules[subject][place[1]] = body


def _nulls(tree: Tree, raw: Any, path: Path) -> Iterator[Mistake]:
    """Refuse keys without a value: an empty condition would match everything."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            if key in _ANY_JSON and value is not None:
                continue
            if value is None:
                detail = "There is no value. Write one, or leave the key out."
                yield tree.mistake((*path, key), detail)
            yield from _nulls(tree, value, (*path, key))
    if isinstance(raw, list):
        for index, item in enumerate(raw):
            yield from _nulls(tree, item, (*path, index))
