"""The benchmarks: what they say, and that they still run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import __main__, backtest, console, policies, visits
from bench.figures import Figure, table
from policies.engine import compile_rules, judge

FEW, MANY = Figure("few", 30, "µs", limit=40), Figure("many", 1_234, "µs", limit=600)


def test_a_figure_stands_beside_its_limit() -> None:
    assert list(table([FEW, MANY, Figure("untold", 2.5, "s")])) == [
        "figure  measured   limit  ratio",
        "few        30 µs   40 µs   0.75",
        "many    1,234 µs  600 µs   2.06  TOO MUCH",
        "untold     2.5 s",
    ]


@pytest.mark.parametrize(("figure", "code"), [(FEW, 0), (MANY, 1)])
def test_what_is_beyond_its_limit_fails(
    figure: Figure, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure() -> Iterator[Figure]:
        yield figure

    monkeypatch.setattr(policies, "measure", measure)
    monkeypatch.setattr(__main__, "RESULTS", tmp_path / "var" / "bench.json")

    assert __main__.main("policies") == code

    (kept,) = json.loads((tmp_path / "var" / "bench.json").read_text())
    assert kept["ratio"] == figure.ratio


@pytest.mark.parametrize("size", [10, 1_000])
def test_each_decision_that_is_measured_asks_as_many_policies(size: int) -> None:
    rules = compile_rules(policies.rule_set(size))

    verdict = judge(rules, policies.facts(size // policies.PER_ACTION - 1, 75))

    assert not rules.broken
    assert verdict.evaluated
    assert len(verdict.trace["policies"]) == policies.PER_ACTION


@pytest.mark.slow
def test_a_backtest_is_measured_from_outside(tmp_path: Path) -> None:
    assert backtest.seconds(f"sqlite:///{tmp_path}/bench.sqlite3", 60) > 0


@pytest.mark.slow
def test_every_page_is_measured_on_a_crowd(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/crowd.sqlite3"

    found = console.median_ms(url, 60, 20)

    assert list(found) == [*visits.PAGES, *visits.DASHBOARD]
    assert all(ms > 0 for ms in found.values())
