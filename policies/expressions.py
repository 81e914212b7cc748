"""What does a compiled CEL expression say? A reader of its checked syntax tree.

The library hands the tree out as a serialized ``cel.expr.CheckedExpr`` message, a
public and stable format (github.com/google/cel-spec, proto/cel/expr). It is read here
for three things: which facts an expression names, whether it loops, and where the
operators are that ``policies.cel`` replaces by stricter ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

# What stands for an operator in the strict program: a name of the same length, so that
# no length in the message changes, and one that no expression can spell.
STRICT = {b"_==_": b"@eq_", b"_!=_": b"@ne_", b"@in": b"@is", b"_+_": b"@+_"}

_CONST, _IDENT, _SELECT, _CALL, _LIST, _STRUCT, _LOOP = range(3, 10)
_DYN, _NULL, _LISTS, _MAPS = 1, 2, 6, 7
_JOINABLE = {
    b"\x18\x05",
    b"\x18\x06",
}  # Type{primitive: STRING}, Type{primitive: BYTES}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the message. Fields are read from it when somebody asks."""

    data: bytes
    start: int
    end: int

    def bytes(self) -> bytes:
        return self.data[self.start : self.end]

    def text(self) -> str:
        return self.bytes().decode()

    def fields(self) -> Iterator[tuple[int, int, Span]]:
        """Yield number, value and span of each field; the value is of integers only."""
        at = self.start
        while at < self.end:
            key, at = _varint(self.data, at)
            wire = key & 7
            if wire == 0:
                value, after = _varint(self.data, at)
                yield key >> 3, value, Span(self.data, at, after)
            elif wire == 2:
                value, at = _varint(self.data, at)
                after = at + value
                yield key >> 3, 0, Span(self.data, at, after)
            else:
                after = at + (8 if wire == 1 else 4)
                yield key >> 3, 0, Span(self.data, at, after)
            at = after

    def all(self, number: int) -> list[Span]:
        return [span for n, _, span in self.fields() if n == number]

    def first(self, number: int) -> Span:
        return next(iter(self.all(number)), Span(self.data, self.start, self.start))

    def number(self, number: int) -> int:
        return next((value for n, value, _ in self.fields() if n == number), 0)


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


@dataclass(frozen=True, slots=True)
class _Todo:
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
        entries = checked.all(3)
        self.types = {entry.number(1): entry.first(2) for entry in entries}
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
        elif (function in (b"_==_", b"_!=_") and self._is_loose(*arguments)) or (
            function == b"@in" and self._is_loosely_in(*arguments)
        ):
            self._replace(name)
        return [_below(todo, each) for each in [*call.all(1), *arguments]]

    def _loop(self, todo: _Todo, loop: Span) -> list[_Todo]:
        accumulator = loop.first(3).text()
        variables = {loop.first(n).text() for n in (1, 8)} - {"", "#unused"}
        self.found.loops |= bool(variables)
        for name in {*variables, accumulator}:
            self.found.named.setdefault(name, self._place(todo.node))
        inside = _Todo(
            todo.node, todo.variables | variables, accumulator, todo.building
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

        What the checker has typed it has checked, null may be asked for everywhere,
        and lists and objects that are compared as a whole are just different.
        """
        kinds = {_kind(self._type(left)), _kind(self._type(right))}
        return _DYN in kinds and not kinds & {_NULL, _LISTS, _MAPS}

    def _is_loosely_in(self, left: Span, right: Span) -> bool:
        wanted, place = _kind(self._type(left)), self._type(right)
        if wanted in (_NULL, _LISTS, _MAPS) or _kind(place) == _MAPS:
            return False
        element = _kind(place.first(_LISTS).first(1))
        return _DYN in (wanted, _kind(place), element)

    def _is_joinable(self, node: Span) -> bool:
        kind = self._type(node)
        return _kind(kind) == _LISTS or kind.bytes() in _JOINABLE

    def _type(self, node: Span) -> Span:
        return self.types[node.number(2)]

    def _place(self, node: Span) -> int:
        return self.places.get(node.number(2), 0)

    def _replace(self, name: Span) -> None:
        self.strict[name.start : name.end] = STRICT[name.bytes()]


def _below(todo: _Todo, node: Span) -> _Todo:
    return _Todo(node, todo.variables, todo.accumulator, todo.building)


def _inside(todo: _Todo, node: Span) -> _Todo:
    return _Todo(node, todo.variables, todo.accumulator, bool(todo.variables))


def _content(node: Span) -> tuple[int, Span]:
    found = ((n, span) for n, _, span in node.fields() if _CONST <= n <= _LOOP)
    return next(found, (0, node))


def _name_of(node: Span) -> str:
    kind, body = _content(node)
    return body.first(1).text() if kind == _IDENT else ""


def _kind(checked_type: Span) -> int:
    return next((n for n, _, _ in checked_type.fields()), _DYN)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
