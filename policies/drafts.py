"""Which rules are tried? Those in force, but for what somebody thinks of changing.

A draft is a wish like any other change, and checked like one. Nothing here writes it
anywhere: it is compiled, tried, and forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from policies import bodies, engine, plan, rulesets, services
from policies.bodies import Body, State, Subject
from policies.engine import CompiledRules
from policies.models import Policy
from policies.plan import Plan
from policies.rules import Mode
from policies.services import Wish

# What a draft changes: kind of rule, name, and what it says then; None takes it out.
Change = tuple[str, str, Body | None]


@dataclass(frozen=True, slots=True)
class Draft:
    """The rules in force beside those that are tried. Without a change they are one."""

    plan: Plan
    live: CompiledRules
    draft: CompiledRules

    @property
    def changes(self) -> list[Change]:
        return [(str(c.subject), c.name, c.after) for c in self.plan.changes]

    def __bool__(self) -> bool:
        return bool(self.plan)


def live(state: State) -> State:
    """Return the rules as they are: the wish of somebody who changes nothing."""
    return state


def of(wish: Wish = live) -> Draft:
    """Check a wish among the rules in force and make both ready to judge.

    Raises what ``services.preview`` raises.
    """
    versions = dict(Policy.objects.values_list("name", "version"))
    return compiled(services.preview(wish), versions)


def compiled(changing: Plan, versions: dict[str, int], revision: int = 0) -> Draft:
    before = rulesets.rule_set(changing.before, versions, revision)
    compiled_before = engine.compile_rules(before)
    if not changing:
        return Draft(changing, compiled_before, compiled_before)
    after = rulesets.rule_set(changing.after, _next(changing, versions), revision)
    return Draft(changing, compiled_before, engine.compile_rules(after))


def recalled(changes: Iterable[Change], state: State) -> Plan:
    """Return the plan of a draft that was kept as its changes."""
    return plan.between(state, changed(changes)(state))


def changed(changes: Iterable[Change]) -> Wish:
    """Return the wish that these rules say this."""

    def wish(state: State) -> State:
        wanted = bodies.copy(state)
        for subject, name, body in changes:
            if body is None:
                wanted[Subject(subject)].pop(name, None)
            else:
                wanted[Subject(subject)][name] = body
        return wanted

    return wish


def enforcing(wish: Wish, modes: Collection[Mode]) -> Wish:
    """Return the same wish with the policies in these modes enforced."""

    def enforced(state: State) -> State:
        wanted = bodies.copy(wish(state))
        wanted[Subject.POLICY] = {
            name: {**body, "mode": str(Mode.ENFORCE)} if body["mode"] in modes else body
            for name, body in wanted[Subject.POLICY].items()
        }
        return wanted

    return enforced


def _next(changing: Plan, versions: dict[str, int]) -> dict[str, int]:
    """A policy that would change would have its next version."""
    touched: dict[str, Any] = {
        change.name: versions.get(change.name, 0) + 1
        for change in changing.changes
        if change.subject is Subject.POLICY
    }
    return versions | touched
