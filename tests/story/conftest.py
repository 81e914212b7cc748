"""A whole installation as its users meet it: real processes, real HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import servers
from tests.processes import ROOT, Serving, serving

PEOPLE = {"mara": "customer-service-managers", "finn": "finance", "cora": ""}
MAKE_PEOPLE = """
from django.contrib.auth.models import Group
from governance.models import User
for name, group in {people!r}.items():
    user = User.objects.create_user(
        name, f"{{name}}@example.com", "demo", is_staff=True
    )
    user.groups.set(Group.objects.filter(name=group))
"""


@dataclass(frozen=True)
class Installation:
    serving: Serving
    env: dict[str, str]
    key: str

    @property
    def url(self) -> str:
        return self.serving.url

    @property
    def api(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=70,
        )

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return manage(self.env, *arguments)


def manage(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def installation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """The refund story, set up from an empty database, with three people."""
    directory = tmp_path_factory.mktemp("installation")
    if request.param == "sqlite":
        url = f"sqlite:///{directory}/data.sqlite3"
    else:
        url = servers.new_database(request.getfixturevalue("_postgres_server"))
    yield from install(directory, url)


def install(directory: Path, database_url: str) -> Iterator[Installation]:
    env = {
        "DATABASE_URL": database_url,
        "WORKER": "q2",
        "LOG_LEVEL": "WARNING",
        "EMAIL_URL": f"filemail:///{directory}/mail",
    }
    with serving(directory, **env) as running:
        assert running.answers()
        loaded = manage(env, "load_policies", "examples/refunds.yaml")
        assert loaded.returncode == 0, loaded.stderr
        people = manage(env, "shell", "-c", MAKE_PEOPLE.format(people=PEOPLE))
        assert people.returncode == 0, people.stderr
        made = manage(env, "create_agent", "refund-bot")
        assert made.returncode == 0, made.stderr
        yield Installation(running, env, made.stdout.strip())
