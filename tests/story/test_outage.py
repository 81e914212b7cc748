"""A database that goes away and comes back: nothing is allowed, nothing has to be done."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests import servers
from tests.processes import eventually
from tests.story.conftest import install
from tests.story.test_refunds import ask

pytestmark = pytest.mark.slow


def test_while_the_database_is_away_nothing_is_allowed(tmp_path: Path) -> None:
    with servers.breakable_postgres() as (url, server):
        for installation in install(tmp_path, servers.new_database(url)):
            with installation.api as api:
                pending = ask(api, 75)
                server.stop()
                try:
                    body = {"action": "refund.create", "params": {"amount": 20}}
                    calls = [
                        api.post("/actions", json=body),
                        api.get(f"/actions/{pending['id']}"),
                        api.get(f"/actions/{pending['id']}?wait=2"),
                        httpx.get(f"{installation.url}/readyz"),
                    ]
                    assert httpx.get(f"{installation.url}/healthz").is_success
                finally:
                    server.start()

                for answer in calls:
                    assert answer.status_code == 503
                    assert answer.headers["Content-Type"] == "application/problem+json"
                for answer in calls[:3]:
                    assert answer.json()["code"] == "unavailable"
                    assert int(answer.headers["Retry-After"]) > 0

                eventually(installation.serving.answers, within=30)
                assert ask(api, 20)["status"] == "allowed"
                read = api.get(f"/actions/{pending['id']}").json()
                assert read["status"] == "pending"
