"""What does a policy file say, and what would loading it change?

A file names rules; what it does not name is left alone, or retired with ``prune``. All
mistakes in a file are found in one go, each with its line and key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.errors import Problem
from policies import bodies, checks, fields, rules, services, yaml_tree
from policies.bodies import State, Subject
from policies.fields import Unfit
from policies.plan import ORDER, merged
from policies.yaml_tree import Mistake, Path, Tree

VERSION = 1
SECTIONS: Mapping[str, Subject] = {
    "action_types": Subject.ACTION_TYPE,
    "resources": Subject.RESOURCE,
    "lookbacks": Subject.LOOKBACK,
    "risk_factors": Subject.RISK_FACTOR,
    "flows": Subject.FLOW,
    "policies": Subject.POLICY,
}
KEYS = ("version", "default", *SECTIONS)
_NOT_TEXT = {
    "version", "base_risk", "reversible", "params_schema", "sensitivity", "points",
    "approvals", "step", "auto_approve_max_risk",
}  # fmt: skip


class Mistaken(Exception):
    """A file with mistakes, all of them in the order of its lines."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__(f"{len(mistakes)} mistakes")
        self.mistakes = sorted(mistakes, key=lambda mistake: mistake.line)


@dataclass(slots=True)
class Document:
    """The rules a file names, and where it names them."""

    tree: Tree
    rules: State = field(default_factory=bodies.empty)
    places: dict[checks.Place, Path] = field(default_factory=dict)

    def wish(self, state: State) -> State:
        """Return the rules with those of the file, and all others left alone."""
        wanted = bodies.copy(state)
        for subject, named in self.rules.items():
            wanted[subject] |= named
            order = merged(state[subject], list(named))
            wanted[subject] = {name: wanted[subject][name] for name in order}
        return wanted

    def wish_alone(self, state: State) -> State:
        """Return the rules with only those of the file, and what they still need."""
        wanted = self.wish(state)
        for subject, name in self._surplus(state):
            if not any(checks.users_of(subject, name, wanted)):
                wanted = services.without(wanted, subject, name)
        return wanted

    def kept(self, after: State) -> Iterator[str]:
        """Yield what the file does not name and had to stay nevertheless."""
        for subject, name in self._surplus(after):
            if users := list(checks.users_of(subject, name, after)):
                what = f"{subject.label} {name}".lower()
                yield f"The {what} stays: {', '.join(users)} still needs it."

    def mistakes(self, unfitting: services.Unfitting) -> list[Mistake]:
        """Say where in the file the problems come from."""
        return [
            self._mistake(place, problem)
            for place, problems in unfitting.places.items()
            for problem in problems
        ]

    def _mistake(self, place: checks.Place, problem: Problem) -> Mistake:
        return _mistake(self.tree, self.places.get(place, ()), problem)

    def _surplus(self, state: State) -> Iterator[checks.Place]:
        """What the file does not name; policies first, as they hold on to the rest."""
        for subject in reversed(ORDER):
            for name, body in state[subject].items():
                retired = body.get("mode") == rules.Mode.RETIRED
                if name not in self.rules[subject] and not retired:
                    yield subject, name


def parse(raw: bytes) -> Document:
    """Read a policy file. Raises ``Mistaken``."""
    try:
        tree = yaml_tree.load(raw, _is_text)
    except yaml_tree.Unreadable as unreadable:
        raise Mistaken([unreadable.mistake]) from None
    document = Document(tree)
    mistakes = [*tree.mistakes, *_read(document)]
    if mistakes:
        raise Mistaken(_first_at_each_place(mistakes))
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
    raw = _at(tree.value, path)
    yield from _nulls(tree, raw, path)
    try:
        body = bodies.read(subject, raw)
    except Unfit as unfit:
        for problem in unfit.problems:
            yield _mistake(tree, path, problem)
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
            if key == "params_schema" and value is not None:
                continue
            if value is None:
                detail = "There is no value. Write one, or leave the key out."
                yield tree.mistake((*path, key), detail)
            yield from _nulls(tree, value, (*path, key))
    if isinstance(raw, list):
        for index, item in enumerate(raw):
            yield from _nulls(tree, item, (*path, index))


def _mistake(tree: Tree, path: Path, problem: Problem) -> Mistake:
    return tree.mistake((*path, *_tokens(tree, path, problem.path)), problem.detail)


def _tokens(tree: Tree, path: Path, pointer: str) -> Iterator[str | int]:
    """Yield the keys and indexes that a JSON pointer names below this place."""
    value = _at(tree.value, path)
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        step: str | int = int(key) if isinstance(value, list) else key
        yield step
        value = _at(value, (step,))


def _at(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _first_at_each_place(mistakes: list[Mistake]) -> list[Mistake]:
    """One mistake often has two consequences; the first is the one to mend."""
    return list({(each.line, each.where): each for each in reversed(mistakes)}.values())
