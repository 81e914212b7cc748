"""What does going from these rules to those change? Pure, and readable by a person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from governance import canonical
from policies.bodies import FORMS, Body, State, Subject

# Flows and lookbacks come before what names them.
ORDER = tuple(FORMS)


@dataclass(frozen=True, slots=True)
class FieldChange:
    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One rule as it was and as it will be. None is absence."""

    subject: Subject
    name: str
    before: Body | None
    after: Body | None

    @property
    def sign(self) -> str:
        """``+`` for what is new, ``-`` for what no longer applies, ``~`` for the rest."""
        if self.before is None:
            return "+"
        retired = self.after is not None and self.after.get("mode") == "retired"
        if self.after is None or (retired and self.before.get("mode") != "retired"):
            return "-"
        return "~"

    @property
    def fields(self) -> list[FieldChange]:
        """The fields that differ, down to the one field of the one stage."""
        return list(_differences("", self.before, self.after))

    @property
    def lines(self) -> list[str]:
        """The change in words: one line, and one for each field."""
        what = self.subject.label.lower()
        name = "" if self.subject is Subject.DEFAULT else f" {self.name}"
        title = f"{self.sign} {what}{name}"
        if self.before is None:
            values = [(f.field, shown(f.new)) for f in self.fields]
        elif self.after is None:
            values = []
        else:
            values = [
                (f.field, f"{shown(f.old)} → {shown(f.new)}") for f in self.fields
            ]
        return [title, *(f"    {name}: {value}" for name, value in values)]


@dataclass(frozen=True, slots=True)
class Reordering:
    """Rules that stay and come in another order: flows are asked in theirs."""

    subject: Subject
    before: Sequence[str]
    after: Sequence[str]

    def __str__(self) -> str:
        names = f"{', '.join(self.before)} → {', '.join(self.after)}"
        return f"~ order of {self.subject.label.lower()}: {names}"


@dataclass(frozen=True, slots=True)
class Plan:
    before: State
    after: State
    changes: Sequence[Change]
    reorderings: Sequence[Reordering]

    def __bool__(self) -> bool:
        return bool(self.changes or self.reorderings)


def between(before: State, after: State) -> Plan:
    return Plan(
        before,
        after,
        changes=[*_puts(before, after), *_removals(before, after)],
        reorderings=list(_reorderings(before, after)),
    )


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1 is 1.0, and it is not true."""
    return canonical.canonical_bytes(one) == canonical.canonical_bytes(other)


def merged(present: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """Return the present names with the wanted ones in their order.

    What the file does not name stays where it is, and so does what is in order already:
    two files that are loaded in turn leave each other's rules alone. What is new
    follows the name before it.
    """
    order = list(present)
    known = [name for name in wanted if name in set(order)]
    in_turn = iter(known)
    among = set(known)
    order = [next(in_turn) if name in among else name for name in order]
    for index, name in enumerate(wanted):
        if name in among:
            continue
        if index:
            order.insert(order.index(wanted[index - 1]) + 1, name)
        elif known:
            order.insert(order.index(known[0]), name)
        else:
            order.append(name)
    return order


def shown(value: Any) -> str:
    """Return a value as the plan prints it, on one line and without what is empty."""
    if value is None or value in ("", []):
        return "nothing"
    if isinstance(value, str):
        return value
    return json.dumps(_filled(value), ensure_ascii=False)


def _filled(value: Any) -> Any:
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if isinstance(value, dict):
        kept = {name: _filled(item) for name, item in value.items()}
        return {k: item for k, item in kept.items() if item not in (None, "", [])}
    return value


def _puts(before: State, after: State) -> Iterator[Change]:
    for subject in ORDER:
        for name, body in after[subject].items():
            old = before[subject].get(name)
            if old is None or not same(old, body):
                yield Change(subject, name, old, body)


def _removals(before: State, after: State) -> Iterator[Change]:
    for subject in reversed(ORDER):
        for name, body in before[subject].items():
            if name not in after[subject]:
                yield Change(subject, name, body, None)


def _reorderings(before: State, after: State) -> Iterator[Reordering]:
    for subject in (Subject.FLOW, Subject.POLICY):
        old = [name for name in before[subject] if name in after[subject]]
        new = [name for name in after[subject] if name in before[subject]]
        if old != new:
            yield Reordering(subject, old, new)


def _differences(field: str, old: Any, new: Any) -> Iterator[FieldChange]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from _differences(
                f"{field}.{name}" if field else name, old.get(name), new.get(name)
            )
    elif _are_rows(old) and _are_rows(new) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{field}[{index}]", one, other)
    elif not field:
        for name, value in (old or new or {}).items():
            if value not in (None, "", []):
                pair = (value, None) if new is None else (None, value)
                yield FieldChange(name, *pair)
    elif not same(old, new):
        yield FieldChange(field, old, new)


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
