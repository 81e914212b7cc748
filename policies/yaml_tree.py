"""What does a YAML file say, and on which line?

The values are those of YAML's safe loader, cut down to what JSON can hold. Whatever is
wrong is collected with its place, so that a person can mend it all in one go.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 200_000

Path = tuple[str | int, ...]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_JSON_SCALARS = {f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null")}
_WRITTEN_PLAINLY = _JSON_SCALARS - {f"{_TAG}null"} | {f"{_TAG}timestamp"}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to mend in a file. ``where`` is the path of keys that leads there."""

    line: int
    where: str
    detail: str

    def __str__(self) -> str:
        return ": ".join(filter(None, [str(self.line), self.where, self.detail]))


class Unreadable(Exception):
    """A file that cannot be read as a tree of values at all."""

    def __init__(self, line: int, detail: str) -> None:
        super().__init__(detail)
        self.mistake = Mistake(line, "", detail)


@dataclass(slots=True)
class Tree:
    """The plain values of a file, with the line of each."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def mistake(self, path: Path, detail: str) -> Mistake:
        """Return a mistake on the line of this place, or of what should contain it."""
        known = path
        while known not in self.lines:
            known = known[:-1]
        return Mistake(self.lines[known], spelled(path), detail)

    def at(self, path: Path) -> Any:
        """Return the value at this place, None if there is none."""
        value = self.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def steps(self, path: Path, pointer: str) -> Path:
        """Return the steps that a JSON pointer takes from this place."""
        taken: Path = ()
        for token in pointer.split("/")[1:]:
            is_list = isinstance(self.at((*path, *taken)), list)
            step = token.replace("~1", "/").replace("~0", "~")
            taken = (*taken, int(step) if is_list else step)
        return taken


def spelled(path: Path) -> str:
    """Return a path as people write it: ``policies[2].when``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


def load(raw: bytes, is_text: Callable[[Path], bool]) -> Tree:
    """Read one YAML document. Raises ``Unreadable``.

    Where ``is_text`` says so, unquoted values are taken as they are written: ``when:
    true`` is the condition ``true``, and a policy may be called ``no``.
    """
    if len(raw) > MAX_BYTES:
        raise Unreadable(1, f"The file is larger than {MAX_BYTES // 1024} KiB.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Unreadable(line, "The file is not UTF-8.") from None

    reader = _Reader(is_text)
    reader.tree.value = reader.value(_compose(text), ())
    return reader.tree


def _compose(text: str) -> yaml.Node:
    try:
        _check_depth(text)
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise Unreadable(line, "The file contains a character YAML forbids.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise Unreadable(line, f"This is not YAML: {error.problem}.") from None
    if node is None:
        raise Unreadable(1, "The file is empty.")
    return node


def _check_depth(text: str) -> None:
    """Refuse deep nesting while reading is still flat: composing would recurse."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise Unreadable(_line_of(event), f"Nest at most {MAX_DEPTH} levels deep.")


def _line_of(found: yaml.Node | yaml.Event) -> int:
    return found.start_mark.line + 1 if found.start_mark else 1


class _Reader:
    """Turns nodes into values, and counts them: an alias costs what it stands for."""

    def __init__(self, is_text: Callable[[Path], bool]) -> None:
        self.tree = Tree()
        self.is_text = is_text
        self.count = 0
        self.construct = yaml.constructor.SafeConstructor()

    def refuse(self, path: Path, detail: str) -> None:
        self.tree.mistakes.append(self.tree.mistake(path, detail))

    def value(self, node: yaml.Node, path: Path) -> Any:
        line = _line_of(node)
        self.tree.lines.setdefault(path, line)
        self.count += 1
        if self.count > MAX_VALUES:
            raise Unreadable(line, f"The file holds more than {MAX_VALUES} values.")
        if len(path) > MAX_DEPTH:
            raise Unreadable(line, f"Nest at most {MAX_DEPTH} levels deep.")

        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        return self.refuse(path, f"The type {node.tag} is not supported here.")

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, member in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.refuse(path, "Keys must be plain text.")
                continue
            place = (*path, key.value)
            line = _line_of(key)
            if key.tag == f"{_TAG}merge":
                merged |= self.merged(member, path)
            elif key.value in own:
                self.tree.lines[place] = line
                self.refuse(place, "This key is here twice.")
            else:
                self.tree.lines[place] = line
                own[key.value] = self.value(member, place)
        return merged | own

    def merged(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        """Return what ``<<`` brings in. Of several mappings the first one wins."""
        found = self.value(node, path)
        parts = found if isinstance(found, list) else [found]
        if not all(isinstance(part, dict) for part in parts):
            self.refuse(path, "What << brings in must be a mapping.")
            return {}
        return {key: part[key] for part in reversed(parts) for key in part}

    def scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        if self.is_text(path) and node.tag in _WRITTEN_PLAINLY:
            return node.value
        if node.tag not in _JSON_SCALARS:
            return self.refuse(path, "Quote this value: it is not plain JSON.")
        try:
            value = self.construct.construct_object(node)
        except ValueError:
            return self.refuse(path, "This number cannot be read.")
        if isinstance(value, float) and not math.isfinite(value):
            return self.refuse(path, "This is not a number in JSON.")
        return value
