"""How does a terminal show what the rules would say? Aligned, one fact to a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from governance.text_safety import visible_line
from policies import durations
from policies.engine import Verdict
from policies.plan import shown
from policies.rules import Do, Silence, Stage
from policies.simulation import Simulation

_MATCHED = {True: "yes", False: "no", "error": "?"}


def lines(simulation: Simulation) -> Iterator[str]:
    """Yield the whole answer. A draft's is told in full, and the difference first."""
    facts = simulation.facts
    moment = facts.now.strftime("%Y-%m-%d %H:%M:%S %Z")
    yield f"{facts.action} by {facts.agent.name}, {moment}"
    for problem in simulation.refused:
        yield f"The agent would be refused at once: {problem.path}: {problem.detail}"
    for name in simulation.cut_short:
        yield f"The lookback {name} was counted over the newest actions only."
    yield ""
    yield headline(simulation)
    if simulation.compares:
        yield ""
        yield "Live"
        yield from _indented(_brief(simulation.live))
        yield ""
        yield "Draft"
    yield from _indented(verdict_lines(simulation.draft))


def headline(simulation: Simulation) -> str:
    if simulation.compares:
        return f"live: {simulation.live.decision} → draft: {simulation.draft.decision}"
    return f"live: {simulation.live.decision}"


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    yield from _brief(verdict)
    trace = verdict.trace
    yield from _section("looked at", map(_policy, trace["policies"]))
    yield from _section("risk factors", map(_factor, trace["risk_factors"]))
    yield from _section("facts", _facts(trace))
    yield from _section("lookbacks", _lookbacks(trace["lookbacks"]))


def _brief(verdict: Verdict) -> Iterator[str]:
    yield f"{verdict.decision}, risk {verdict.risk}"
    if not verdict.evaluated:
        yield "Not everything could be evaluated."
    yield from _section(
        "because",
        (
            (str(r.decision), _named(r.policy, r.version), r.reason)
            for r in verdict.reasons
        ),
    )
    yield from _section("asks", map(_stage, verdict.stages))
    yield from _section("risk", ((f"+{p.points}", p.what) for p in verdict.risk_parts))
    yield from _section(
        "on trial",
        (
            (str(r.decision), _named(r.policy, r.version), r.reason)
            for r in verdict.monitored
        ),
    )


def _section(title: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the rows in columns under their title; nothing, if there are none."""
    table = [[visible_line(cell) for cell in row] for row in rows]
    if not table:
        return
    widths = [
        max(len(row[i]) for row in table if i < len(row))
        for i in range(max(map(len, table)))
    ]
    yield title
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield f"  {'  '.join(cells).rstrip()}"


def _named(policy: str | None, version: int | None) -> str:
    return f"{policy} v{version}" if policy else "-"


def _policy(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        _MATCHED[entry["matched"]],
        _named(entry["policy"], entry["version"]),
        entry["decision"]
        if entry["mode"] == "enforce"
        else f"{entry['decision']} (monitor)",
        _condition(entry),
    )


def _factor(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return _MATCHED[entry["matched"]], entry["factor"], _condition(entry)


def _condition(entry: Mapping[str, Any]) -> str:
    words = entry["when"] or "always"
    problem = entry.get("error")
    return f"{words} (could not be evaluated: {problem})" if problem else words


def _facts(trace: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, value in trace["facts"].items():
        yield path, shown(value)
    for path in trace["missing"]:
        yield path, "is missing"


def _lookbacks(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, answers in found.items():
        told = [
            f"{what} {value}"
            for what, value in (answers or {}).items()
            if value is not None
        ]
        yield name, ", ".join(told) or "cannot be counted for this action"


def _stage(stage: Stage) -> tuple[str, ...]:
    people = f"{stage.approvals} of {' or '.join(stage.groups)}"
    return str(stage.step), stage.name, people, silence(stage)


def silence(stage: Stage) -> str:
    """Say what happens when nobody answers."""
    return ", ".join(map(_step, stage.chain())) or "waits for ever"


def _step(step: Silence) -> str:
    after = durations.text(step.after)
    to = f" to {' and '.join(step.to)}" if step.do == Do.ESCALATE else ""
    risk = f" up to a risk of {step.max_risk}" if step.max_risk is not None else ""
    return f"{step.do}{to} after {after}{risk}"


def _indented(rows: Iterable[str]) -> Iterator[str]:
    return (f"  {row}" for row in rows)
