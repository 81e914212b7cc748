"""What does a compiled CEL expression say? A reader of its checked syntax tree.

The library hands the tree out as a serialized ``cel.expr.CheckedExpr`` message, a
public and stable format (github.com/google/cel-spec, proto/cel/expr). It is read here
for three things: which facts an expression names, whether it loops, and where the
operators are that ``policies.cel`` replaces by stricter ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

# What stands for an operator in the strict program: a name of the same length, so that
# no length in the message changes, and one that no expression can spell.
STRICT = {
    b"_==_": b"@eq_",
    b"_!=_": b"@ne_",
    b"@in": b"@is",
    b"_+_": b"@+_",
    b"_/_": b"@/_",
}

_CONST, _IDENT, _SELECT, _CALL, _LIST, _STRUCT, _LOOP = range(3, 10)
_DYN, _NULL, _LISTS, _MAPS, _ABSTRACT = 1, 2, 6, 7, 14
_JOINABLE = {
    b"\x18\x05",
    b"\x18\x06",
}  # Type{primitive: STRING}, Type{primitive: BYTES}


class Span:
    """A stretch of the message. Its fields are read when somebody asks, and once."""

    __slots__ = ("_fields", "data", "end", "start")

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data = data
        self.start = start
        self.end = end
        self._fields: dict[int, list[tuple[int, int, int]]] | None = None

    def bytes(self) -> bytes:
        return self.data[self.start : self.end]

    def text(self) -> str:
        return self.bytes().decode()

    def fields(self) -> dict[int, list[tuple[int, int, int]]]:
        """Return value, start and end of every field, by number.

        The value is that of an integer; for everything else it is the length.
        """
        if self._fields is None:
            self._fields = _scan(self.data, self.start, self.end)
        return self._fields

    def all(self, number: int) -> list[Span]:
        found = self.fields().get(number, ())
        return [Span(self.data, start, end) for _, start, end in found]

    def first(self, number: int) -> Span:
        found = self.fields().get(number)
        _, start, end = found[0] if found else (0, self.start, self.start)
        return Span(self.data, start, end)

    def number(self, number: int) -> int:
        found = self.fields().get(number)
        return found[0][0] if found else 0


def _scan(data: bytes, at: int, end: int) -> dict[int, list[tuple[int, int, int]]]:
    fields: dict[int, list[tuple[int, int, int]]] = {}
    while at < end:
        key, at = _varint(data, at)
        wire, value, start = key & 7, 0, at
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 2:
            value, start = _varint(data, at)
            at = start + value
        else:
            at += 8 if wire == 1 else 4
        fields.setdefault(key >> 3, []).append((value, start, at))
    return fields


@dataclass(slots=True)
class Reading:
    """What was found. Places are offsets of code points in the source."""

    facts: dict[tuple[str, ...], int] = field(default_factory=dict)
    bare: dict[str, int] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)
    joins: list[int] = field(default_factory=list)
    builds: list[int] = field(default_factory=list)
    loops: bool = False
    strict: bytes = b""


class _Todo(NamedTuple):
    node: Span
    variables: frozenset[str] = frozenset()
    accumulator: str = ""
    building: bool = False


def read(serialized: bytes) -> Reading:
    """Read a checked expression. ``strict`` is the same one with stricter operators."""
    checked = Span(serialized, 0, len(serialized)).first(2)
    return _Reader(checked).read()


class _Reader:
    def __init__(self, checked: Span) -> None:
        self.root = checked.first(4)
        self.types = {entry.number(1): entry for entry in checked.all(3)}
        positions = checked.first(5).all(4)
        self.places = {entry.number(1): entry.number(2) for entry in positions}
        self.strict = bytearray(checked.data)
        self.found = Reading()

    def read(self) -> Reading:
        # A stack instead of recursion: a sum may nest as deep as a source is long.
        todo = [_Todo(self.root)]
        while todo:
            todo.extend(self._read(todo.pop()))
        self.found.strict = bytes(self.strict)
        return self.found

    def _read(self, todo: _Todo) -> list[_Todo]:
        root, names = self._chain(todo.node)
        if root and names:
            return self._name(root, names, todo)
        kind, body = _content(todo.node)
        if kind == _IDENT:
            return self._name(body.first(1).text(), (), todo)
        if kind == _SELECT:
            return [_below(todo, body.first(1))]
        if kind == _CALL:
            return self._call(todo, body)
        if kind == _LOOP:
            return self._loop(todo, body)
        if kind == _LIST:
            return [_inside(todo, each) for each in body.all(1)]
        if kind == _STRUCT:
            entries = body.all(2)
            return [
                _inside(todo, part)
                for entry in entries
                for number in (3, 4)
                for part in entry.all(number)
            ]
        return []

    def _name(self, root: str, names: tuple[str, ...], todo: _Todo) -> list[_Todo]:
        place = self._place(todo.node)
        if root in todo.variables:
            if todo.building:
                self.found.builds.append(place)
        elif names or "." in root:
            self.found.facts.setdefault((*root.split("."), *names), place)
        elif not root.startswith(("@", "#")):
            self.found.bare.setdefault(root, place)
        return []

    def _call(self, todo: _Todo, call: Span) -> list[_Todo]:
        name, arguments = call.first(2), call.all(3)
        function = name.bytes()
        if function == b"_+_" and _name_of(arguments[0]) == todo.accumulator != "":
            # What map() and filter() do with each result: not written by anybody.
            _, grown = _content(arguments[1])
            return [_below(todo, each) for each in grown.all(1)]
        if function == b"_+_" and todo.variables:
            if any(self._is_joinable(each) for each in arguments):
                self.found.joins.append(self._place(todo.node))
            self._replace(name)
        elif (
            function == b"_/_"
            or (function in (b"_==_", b"_!=_") and self._is_loose(*arguments))
            or (function == b"@in" and self._is_loosely_in(*arguments))
        ):
            self._replace(name)
        return [_below(todo, each) for each in [*call.all(1), *arguments]]

    def _loop(self, todo: _Todo, loop: Span) -> list[_Todo]:
        variables = {loop.first(n).text() for n in (1, 8)} - {""}
        self.found.loops = True
        for name in variables:
            self.found.named.setdefault(name, self._place(todo.node))
        inside = _Todo(
            todo.node,
            todo.variables | variables,
            loop.first(3).text(),
            todo.building,
        )
        outside = [_below(todo, loop.first(n)) for n in (2, 4)]
        return [*outside, *(_below(inside, loop.first(n)) for n in (5, 6, 7))]

    def _chain(self, node: Span) -> tuple[str, tuple[str, ...]]:
        """Return root and names of ``params.a["b"]``, or an empty root."""
        names: list[str] = []
        while True:
            kind, body = _content(node)
            if kind == _IDENT:
                return body.first(1).text(), tuple(reversed(names))
            if kind == _SELECT:
                names.append(body.first(2).text())
                node = body.first(1)
            elif kind == _CALL and body.first(2).bytes() in (b"_[_]", b"_?._"):
                node, key = body.all(3)
                constant, value = _content(key)
                if constant != _CONST or not value.all(6):
                    return "", ()
                names.append(value.first(6).text())
            else:
                return "", ()

    def _is_loose(self, left: Span, right: Span) -> bool:
        """Whether only the values will tell if these two can be compared.

        What the checker has typed it has checked, and null may be asked for everywhere.
        """
        types = self._type(left), self._type(right)
        return _NULL not in map(_kind, types) and any(map(_has_dyn, types))

    def _is_loosely_in(self, left: Span, right: Span) -> bool:
        return _kind(self._type(right)) != _MAPS and self._is_loose(left, right)

    def _is_joinable(self, node: Span) -> bool:
        kind = self._type(node)
        return _kind(kind) == _LISTS or kind.bytes() in _JOINABLE

    def _type(self, node: Span) -> Span:
        return self.types[node.number(2)].first(2)

    def _place(self, node: Span) -> int:
        return self.places.get(node.number(2), 0)

    def _replace(self, name: Span) -> None:
        self.strict[name.start : name.end] = STRICT[name.bytes()]


def _below(todo: _Todo, node: Span) -> _Todo:
    return _Todo(node, todo.variables, todo.accumulator, todo.building)


def _inside(todo: _Todo, node: Span) -> _Todo:
    return _Todo(node, todo.variables, todo.accumulator, bool(todo.variables))


def _content(node: Span) -> tuple[int, Span]:
    kind = next((n for n in node.fields() if _CONST <= n <= _LOOP), 0)
    return kind, node.first(kind)


def _name_of(node: Span) -> str:
    kind, body = _content(node)
    return body.first(1).text() if kind == _IDENT else ""


def _has_dyn(checked_type: Span) -> bool:
    """Whether a type is dynamic, or the type of something that holds dynamic ones."""
    kind = _kind(checked_type)
    body = checked_type.first(kind)
    held = {_LISTS: (1,), _MAPS: (1, 2), _ABSTRACT: (2,)}.get(kind, ())
    return kind == _DYN or any(_has_dyn(part) for n in held for part in body.all(n))


def _kind(checked_type: Span) -> int:
    return next(iter(checked_type.fields()), _DYN)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value, shift = value & 0x7F, 7
    while data[at := at + 1] >= 0x80:
        value |= (data[at] & 0x7F) << shift
        shift += 7
    return value | data[at] << shift, at + 1
