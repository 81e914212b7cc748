"""Commands on a database that nobody has set up: one sentence says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config import first_steps, unready
from tests.pages import root

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [("create_agent", "bot"), ("load_policies", "examples/refunds.yaml")]
)
def test_a_command_says_that_the_database_is_not_set_up(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/fresh.sqlite3"
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        env={**os.environ, "DATABASE_URL": url},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{tmp_path}/fresh.sqlite3 is not set up" in line
    assert "Run manage.py migrate first, or name another database" in line


def test_it_blames_nothing_on_a_database_that_is_set_up(db: None) -> None:
    assert unready.reason() == ""


def test_the_first_steps_tell_which_database_commands_need(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = root()
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert not any("DATABASE_URL" in each.text for each in first_steps.steps(me))

    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@db/countersign")
    told = [each for each in first_steps.steps(me) if "DATABASE_URL" in each.text]
    assert ["manage.py" in each.command for each in told] == [True, True]
    assert not any("secret" in each.text + each.command for each in told)
