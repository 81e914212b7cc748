"""What would the rules say to this action, and what would a draft say? Nothing is written.

A sample is written like a test of a policy file, without what to expect. What it leaves
out is taken from the database: who the agent is, and what happened before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any

from governance.errors import Invalid, Problem
from governance.models import Agent
from policies import engine, fields, lookbacks, recorded, samples, tallies
from policies.bodies import FORMS, Body, Subject
from policies.drafts import Draft
from policies.engine import CompiledRules, Verdict
from policies.fields import Unfit
from policies.recorded import Agents
from policies.rules import Facts, History, Lookback
from policies.windows import Window

# How many actions are counted for a lookback that the database does not keep.
MOST_COUNTED = 100_000
_SAMPLE = {
    name: each
    for name, each in FORMS[Subject.TEST].items()
    if name not in ("name", "expect")
}


@dataclass(frozen=True, slots=True)
class Simulation:
    """What both sides say to a sample. They are one object if there is no draft."""

    facts: Facts
    live: Verdict
    draft: Verdict
    # Why the agent would not even be heard: parameters that do not fit, say.
    refused: list[Problem] = field(default_factory=list)
    # Lookbacks with more before them than was counted.
    cut_short: list[str] = field(default_factory=list)

    @property
    def compares(self) -> bool:
        return self.live is not self.draft


def read(raw: Any) -> Body:
    """Return a sample in its normal form. Raises ``Invalid``.

    ``agent`` is an object as in a policy test, or the name of an agent there is.
    ``history`` is what the named lookbacks have found; null: the others are counted.
    """
    if isinstance(raw, dict) and isinstance(raw.get("agent"), str):
        raw = {**raw, "agent": _agent(raw["agent"])}
    try:
        return fields.read_form(_SAMPLE, raw)
    except Unfit as unfit:
        raise Invalid(_sentence(unfit.problems[0]), errors=unfit.problems) from None


def simulate(draft: Draft, sample: Body, at: datetime) -> Simulation:
    """Judge a sample by the rules in force and by the draft.

    What happened before is counted as it is known at ``at``, or at the sample's own
    ``now``; the sample itself is not among it.
    """
    cut: list[str] = []
    facts = samples.facts({**sample, "history": {}}, draft.draft, at)
    earlier = sample["now"] is not None and facts.now < at
    given = sample["history"]
    judged = {}
    for rules in (draft.live, draft.draft):
        asked = rules.read_by(facts.action)
        known = _known(asked, draft.live, given, earlier=earlier)
        history = {
            b.name: samples.history(b, given[b.name]) for b in asked if b.name in given
        }
        history |= lookbacks.history(known, facts, facts.now)
        unknown = [b for b in asked if b.name not in given and b not in known]
        history |= _counted(unknown, facts, cut)
        judged[id(rules)] = engine.judge(rules, replace(facts, history=history))
    return Simulation(
        facts=facts,
        live=judged[id(draft.live)],
        draft=judged[id(draft.draft)],
        refused=_refused(draft.draft, facts),
        cut_short=list(dict.fromkeys(cut)),
    )


def as_data(simulation: Simulation) -> dict[str, Any]:
    """Return everything for machines: a draft's verdict only if there is a draft."""
    found = {
        "action": simulation.facts.action,
        "now": simulation.facts.now.isoformat(),
        "refused": [_sentence(problem) for problem in simulation.refused],
        "cut_short": simulation.cut_short,
        "live": verdict_as_data(simulation.live),
    }
    if simulation.compares:
        found["draft"] = verdict_as_data(simulation.draft)
    return found


def verdict_as_data(verdict: Verdict) -> dict[str, Any]:
    return {
        "decision": str(verdict.decision),
        "reasons": [reason.as_data() for reason in verdict.reasons],
        "monitored": [reason.as_data() for reason in verdict.monitored],
        "risk": verdict.risk,
        "evaluated": verdict.evaluated,
        "flows": list(verdict.flows),
        "stages": [
            {
                "name": stage.name,
                "groups": list(stage.groups),
                "needed": stage.approvals,
            }
            for stage in verdict.stages
        ],
        "trace": verdict.trace,
    }


def _known(
    asked: Iterable[Lookback],
    live: CompiledRules,
    given: Mapping[str, Any],
    *,
    earlier: bool,
) -> list[Lookback]:
    """Return the lookbacks the database has counted all along, for this moment."""
    if earlier:
        return []
    kept = set(live.rules.lookbacks)
    return [b for b in asked if b.name not in given and b in kept]


def _counted(asked: list[Lookback], facts: Facts, cut: list[str]) -> dict[str, History]:
    """Count the actions on record, as far back as is quick."""
    found: dict[str, History] = {}
    for lookback in asked:
        window, agents = Window(lookback), Agents()
        actions = recorded.between(tallies.begins(lookback, facts.now), facts.now)
        actions = actions.filter(recorded.covered_by(lookback.actions))
        newest = actions.order_by("-pk").values_list("pk", flat=True)
        floor = newest[MOST_COUNTED : MOST_COUNTED + 1].first()
        if floor:
            cut.append(lookback.name)
            actions = actions.filter(pk__gt=floor)
        for action in chain.from_iterable(recorded.pages(actions)):
            if tallies.concerns(lookback, action.decision):
                window.add(agents.facts_of(action), action.until)
        if history := window.history(facts):
            found[lookback.name] = history
    return found


def _refused(rules: CompiledRules, facts: Facts) -> list[Problem]:
    kind = rules.action_types.get(facts.action)
    return list(engine.schema_errors(kind, facts.params)) if kind else []


def _agent(name: str) -> Body:
    agent = Agent.objects.filter(name=name).first()
    if agent is None:
        detail = f"There is no agent {name}."
        raise Invalid(detail, errors=[Problem("/agent", "unknown_agent", detail)])
    return {"name": agent.name, "environment": agent.environment, "tags": agent.tags}


def _sentence(problem: Problem) -> str:
    where = problem.path.strip("/").replace("/", ".")
    return f"{where}: {problem.detail}" if where else problem.detail
