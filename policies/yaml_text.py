"""How are values written as YAML that people like to read? PyYAML does the writing."""

from __future__ import annotations

import re
from typing import Any

import yaml

# What YAML breaks lines at, and what nobody can see: better written as an escape.
_UNSEEN = re.compile(r"[^\n -~\xa0-\u2027\u202a-\ufefe\U00010000-\U0010ffff]")
_RAGGED = re.compile(r"\A\s|\s\Z|[ \t]\n|\n[ \t]| {2}")


class _Nodes(yaml.representer.SafeRepresenter):
    """Values as nodes. What occurs twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Emitter(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent lists below their key."""
        super().increase_indent(flow, False)


def written(value: Any, *, width: int, whole: bool = False) -> str:
    """Return a list or mapping as block YAML; what is inside of it and short, on one line.

    With ``whole`` the members of a list may stand on one line as well.
    """
    nodes = _Nodes(default_flow_style=False, sort_keys=False)
    node = nodes.represent_data(value)
    assert isinstance(node, yaml.CollectionNode)
    node.flow_style = False
    _escape(node)
    for child, indent, room in _children(node, 0, width):
        if whole or not isinstance(node, yaml.SequenceNode):
            _lay_out(child, indent, room, width)
        else:
            for part, deeper, left in _children(child, indent, width):
                _lay_out(part, deeper, left, width)
    return _serialized(node, width)


def _escape(node: yaml.Node) -> None:
    """Spell out what nobody can see, in keys as in values."""
    match node:
        case yaml.ScalarNode() if _UNSEEN.search(node.value):
            node.style = '"'
        case yaml.SequenceNode():
            for item in node.value:
                _escape(item)
        case yaml.MappingNode():
            for pair in node.value:
                for side in pair:
                    _escape(side)


def _children(
    node: yaml.Node, indent: int, width: int
) -> list[tuple[yaml.Node, int, int]]:
    """Return what is inside, how far it is indented, and its room on its first line."""
    match node:
        case yaml.SequenceNode():
            return [(item, indent + 2, width - indent - 2) for item in node.value]
        case yaml.MappingNode():
            return [
                (value, indent + 2, width - indent - len(key.value) - 2)
                for key, value in node.value
            ]
    return []


def _lay_out(node: yaml.Node, indent: int, room: int, width: int) -> None:
    if isinstance(node, yaml.ScalarNode):
        node.style = _style(node, room) or node.style
    elif isinstance(node, yaml.CollectionNode) and not _fits(node, room):
        node.flow_style = False
        for child, deeper, left in _children(node, indent, width):
            _lay_out(child, deeper, left, width)


def _style(node: yaml.ScalarNode, room: int) -> str | None:
    """Say how a text stands: as it is, over several lines, or with escapes."""
    text: str = node.value
    if _UNSEEN.search(text):
        return '"'
    if "\n" in text:
        return '"' if _RAGGED.search(text) else "|"
    return ">" if len(text) > room and not _RAGGED.search(text) else None


def _fits(node: yaml.CollectionNode, room: int) -> bool:
    """Whether it can stand on one line. If so, it does from here on."""
    if _is_long(node):
        return False
    node.flow_style = True
    return len(_serialized(node, 1_000_000)) - 1 <= room


def _is_long(node: yaml.Node) -> bool:
    """Whether it has texts of several lines, or lists of things with parts."""
    match node:
        case yaml.ScalarNode():
            return "\n" in node.value
        case yaml.SequenceNode():
            return any(
                isinstance(item, yaml.MappingNode) or _is_long(item)
                for item in node.value
            )
        case yaml.MappingNode():
            return any(_is_long(value) for _, value in node.value)
    return False


def _serialized(node: yaml.Node, width: int) -> str:
    text: str = yaml.serialize(node, Dumper=_Emitter, width=width, allow_unicode=True)
    return text
