"""What the README shows works as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from tests.processes import ROOT
from tests.story.conftest import Installation

pytestmark = pytest.mark.slow
README = (ROOT / "README.md").read_text()


def block(heading: str) -> str:
    """The first code block below this heading."""
    found = re.search(rf"### {heading}\n\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def run(installation: Installation, *command: str) -> str:
    env = {"COUNTERSIGN_URL": installation.url, "COUNTERSIGN_KEY": installation.key}
    done = subprocess.run(
        command, env={**os.environ, **env}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_agent_with_curl(installation: Installation) -> None:
    answer = json.loads(run(installation, "sh", "-c", block("An agent, with curl")))

    assert answer["decision"] == "REQUIRE_APPROVAL"


def test_an_agent_in_ten_lines_of_python(installation: Installation) -> None:
    script = block("An agent, in ten lines of Python")
    lines = [line for line in script.splitlines() if not line.startswith("import")]
    assert len([line for line in lines if line.strip() and "..." not in line]) <= 11
    run(installation, sys.executable, "-c", script)

    with installation.api as api:
        newest = api.get("/actions?limit=1").json()["results"][0]
    assert newest["status"] == "succeeded"


@pytest.mark.parametrize("link", re.findall(r"\]\(((?!http)[^)]+)\)", README))
def test_what_it_links_to_is_there(link: str) -> None:
    assert (ROOT / link).exists()
