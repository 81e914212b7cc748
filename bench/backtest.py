"""How long does it take to try a draft on a hundred thousand recorded actions?

Measured from outside, as somebody in a terminal waits for it: the command, start-up
included, on a database of its own. The draft moves a limit, so that a third of all
actions is judged twice; every verdict asks what the same customer had before.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import apart
from bench.figures import Figure

ACTIONS = 100_000
DAYS = 30
MOST_SECONDS = 60
RULES = "examples/refunds.yaml"
DRAFT = """
policies:
  - name: small-refunds
    actions: [refund.create]
    when: params.amount < 20
    decision: ALLOW
  - name: refunds-50-to-200
    actions: [refund.create]
    when: params.amount >= 20 && params.amount <= 200
    decision: REQUIRE_APPROVAL
    flow: managers
"""


def measure() -> Iterator[Figure]:
    for name, url in apart.databases():
        yield _figure(name, url)


def _figure(name: str, url: str, actions: int = ACTIONS) -> Figure:
    return Figure(
        f"backtest of {actions:,} actions, {name}",
        seconds(url, actions),
        "s",
        MOST_SECONDS,
    )


def seconds(url: str, actions: int) -> float:
    """Fill the database with so many actions, and return how long a backtest takes."""
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "draft.yaml")
        draft.write_text(DRAFT)
        apart.manage(url, "migrate", "-v0")
        apart.manage(url, "load_policies", RULES)
        apart.run(url, "-m", "bench.records", str(actions), str(DAYS))
        began = time.perf_counter()
        told = apart.manage(
            url, "backtest", str(draft), "--days", str(DAYS + 1), "--json"
        )
        taken = time.perf_counter() - began
    report = json.loads(told)
    assert report["looked_at"] == actions, report["looked_at"]
    assert report["same"] < actions
    return taken
