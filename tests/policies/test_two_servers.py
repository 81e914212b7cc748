"""Two web servers on one database: one set of rules, one budget, at any moment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.processes import ROOT, serving

pytestmark = pytest.mark.slow

RULES = """
version: 1
lookbacks:
  - name: agent_day
    actions: [refund.create]
    key: agent.name
    window: 24h
    sum: params.amount
    decision: ALLOW
flows:
  - name: managers
    stages: [{{name: Manager, groups: [managers], timeout: 4h}}]
policies:
  - {{name: any, actions: [refund.create], decision: ALLOW}}
  - name: beyond-the-budget
    actions: [refund.create]
    when: history.agent_day.sum + params.amount > {most}
    decision: REQUIRE_APPROVAL
    flow: managers
"""


class Servers(NamedTuple):
    clients: list[httpx.Client]
    database: str
    directory: Path

    def manage(self, *words: str) -> str:
        env = {**os.environ, "DATABASE_URL": self.database}
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def load(self, most: float) -> None:
        file = self.directory / "rules.yaml"
        file.write_text(RULES.format(most=most))
        self.manage("load_policies", str(file))


@pytest.fixture
def two(tmp_path: Path, postgres: str) -> Iterator[Servers]:
    with ExitStack() as stack:
        running = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            settings = {"DATABASE_URL": postgres, "WORKER": "q2"}
            running.append(stack.enter_context(serving(tmp_path / name, **settings)))
        assert all(each.answers() for each in running)
        servers = Servers([], postgres, tmp_path)
        servers.load(most=500.0)
        key = servers.manage("create_agent", "refund-bot")
        headers = {"Authorization": f"Bearer {key}"}
        for each in running:
            client = httpx.Client(base_url=each.url, headers=headers, timeout=30)
            servers.clients.append(stack.enter_context(client))
        yield servers


def refund(client: httpx.Client, amount: float = 49) -> str:
    body = {"action": "refund.create", "params": {"amount": amount}}
    answer = client.post("/api/v1/actions", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["status"])


def test_they_share_a_budget_and_hear_of_every_change(two: Servers) -> None:
    with ThreadPoolExecutor(16) as pool:
        clients = two.clients * 50
        assert Counter(pool.map(refund, clients)) == {"allowed": 10, "pending": 90}

    two.load(most=1000.0)
    assert [refund(client) for client in two.clients] == ["allowed"] * 2

    two.load(most=100.0)
    assert [refund(client) for client in two.clients] == ["pending"] * 2
