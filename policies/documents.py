"""What would loading a policy file change?

A file names rules. What it does not name is left alone, or retired when only the file's
own rules are wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.errors import Problem
from policies import bodies, checks, rules, services
from policies.bodies import Body, State, Subject
from policies.plan import ORDER, between, merged
from policies.yaml_tree import Mistake, Path, Tree

# What else must fit if a flow or a lookback could only be read. They say nothing else.
_STAND_INS: dict[Subject, Body] = {
    Subject.FLOW: {"stages": []},
    Subject.LOOKBACK: {
        "actions": ["*"],
        "key": "resource.id",
        "window": "1d",
        "sum": "resource.id",
        "distinct": "resource.id",
        "decision": "",
        "time_zone": "UTC",
    },
}


class Mistaken(Exception):
    """A file with mistakes, all of them in the order of its lines."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__(f"{len(mistakes)} mistakes")
        # One mistake often has two consequences; the first is the one to mend.
        first: dict[tuple[int, str], Mistake] = {}
        for mistake in mistakes:
            first.setdefault((mistake.line, mistake.where or mistake.detail), mistake)
        self.mistakes = sorted(first.values(), key=lambda mistake: mistake.line)


@dataclass(slots=True)
class Document:
    """The rules a file names, and where it names them."""

    tree: Tree
    rules: State = field(default_factory=bodies.empty)
    places: dict[checks.Place, Path] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    # Stand-ins for what is named and cannot be read, so that what refers to it can.
    broken: State = field(default_factory=bodies.empty)

    def wish(self, state: State, *, prune: bool = False) -> State:
        """Return the rules as the file wants them. Raises ``Mistaken``.

        With ``prune`` that is its own rules, and what these still need.
        """
        wanted = self._alone(state) if prune else self._merged(state)
        if mistakes := [*self.mistakes, *self._misfits(state, wanted)]:
            raise Mistaken(mistakes)
        return wanted

    def kept(self, after: State) -> Iterator[str]:
        """Yield what the file does not name and had to stay nevertheless."""
        for subject, name in self._surplus(after):
            if users := list(checks.users_of(subject, name, after)):
                what = f"{subject.label.lower()} {name}"
                yield f"The {what} stays: it is used by {', '.join(users)}."

    def refusal(self, places: Mapping[checks.Place, list[Problem]]) -> Mistaken:
        """Say in terms of the file why its rules were refused.

        A rule that it does not name may be the one that stands in the way: a test.
        """
        return Mistaken(
            [
                self.mistake(self.places[place], problem)
                if place in self.places
                else Mistake(1, "", f"{problem.detail} It is not in this file.")
                for place, problems in places.items()
                for problem in problems
            ]
        )

    def mistake(self, path: Path, problem: Problem) -> Mistake:
        """Say where in the file the problem of the rule at this path is."""
        return self.tree.mistake(
            (*path, *self.tree.steps(path, problem.path)), problem.detail
        )

    def keep_place(self, subject: Subject, raw: Any) -> None:
        name = raw.get("name") if isinstance(raw, dict) else None
        if isinstance(name, str) and subject in _STAND_INS:
            self.broken[subject][name] = {"name": name, **_STAND_INS[subject]}

    def _merged(self, state: State) -> State:
        wanted = bodies.copy(state)
        for subject, named in self.rules.items():
            wanted[subject] |= named
            order = merged(state[subject], list(named))
            wanted[subject] = {name: wanted[subject][name] for name in order}
        return wanted

    def _alone(self, state: State) -> State:
        wanted = self._merged(state)
        for subject, name in self._surplus(state):
            if not any(checks.users_of(subject, name, wanted)):
                wanted = services.without(wanted, subject, name)
        return wanted

    def _surplus(self, state: State) -> Iterator[checks.Place]:
        """What the file does not name; policies first, as they hold on to the rest."""
        for subject in reversed(ORDER):
            for name, body in state[subject].items():
                retired = body.get("mode") == rules.Mode.RETIRED
                if name not in self.rules[subject] and not retired:
                    yield subject, name

    def _misfits(self, state: State, wanted: State) -> list[Mistake]:
        after = {
            subject: {**named, **self.broken[subject]}
            for subject, named in wanted.items()
        }
        return [
            self.mistake(self.places[place], problem)
            for place, problems in checks.problems(between(state, after)).items()
            if place in self.places
            for problem in problems
        ]
