"""The command that takes the audit log away: what it selects, and how it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from governance import ledger, services
from governance.ledger import SYSTEM, Kind
from governance.models import Agent, Event


def at(moment: str) -> Event:
    moment_at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    return ledger.record(Kind.EXPORTED, at=moment_at, actor=SYSTEM)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("export_audit", *arguments, stdout=out)
    return out.getvalue()


def ids(*arguments: str) -> list[int]:
    lines = run(*arguments, "--format", "jsonl").splitlines()
    return [json.loads(line)["id"] for line in lines]


def test_since_begins_with_its_moment_and_until_ends_before_it(db: None) -> None:
    events = [at(f"2026-01-02T{hour:02}:00:00") for hour in range(4)]

    found = ids("--since", "2026-01-02T01:00:00Z", "--until", "2026-01-02T03:00:00Z")

    assert found == [events[1].pk, events[2].pk]


def test_times_keep_their_offset(db: None) -> None:
    at("2026-01-02T10:30:00")

    assert not ids("--until", "2026-01-02T11:30:00+01:00")
    assert ids("--since", "2026-01-02T11:30:00+01:00", "--until", "2026-01-03")


def test_a_date_is_a_whole_day(db: None) -> None:
    at("2026-01-01T23:59:59")
    first, last = at("2026-01-02T00:00:00"), at("2026-01-02T23:59:59")
    at("2026-01-03T00:00:00")

    found = ids("--since", "2026-01-02", "--until", "2026-01-02")

    assert found == [first.pk, last.pk]


def test_it_selects_one_agent(db: None, agent: Agent) -> None:
    services.create_agent("other")

    assert len(ids("--agent", "refund-bot")) == 1


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize(
    "time",
    [
        "yesterday",
        "2026-01-02T10:00:00",
        "2026-02-30",
        "2026-01-02T25:00:00Z",
        "10000-01-01",
        "٢٠٢٦-٠١-٠٢",  # noqa: RUF001
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_it_refuses_what_is_no_time(db: None, option: str, time: str) -> None:
    with pytest.raises(CommandError, match="is no time: write 2026-11-22T14:00:00Z"):
        run(option, time)

    assert not Event.objects.exists()


def test_it_refuses_an_agent_it_does_not_know(db: None) -> None:
    with pytest.raises(CommandError, match="There is no agent named nobody"):
        run("--agent", "nobody")


def test_every_export_is_on_record(db: None) -> None:
    run("--since", "2026-01-02", "--format", "csv")

    event = Event.objects.get(kind=Kind.EXPORTED)
    assert event.data == {"format": "csv", "filters": {"since": "2026-01-02"}}


def test_a_file_is_whole_and_ours_alone(db: None, agent: Agent, tmp_path: Path) -> None:
    output = tmp_path / "audit.csv"
    output.write_text("old")

    run("--output", str(output))

    assert output.read_bytes().startswith(b'"id","at",')
    assert output.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["audit.csv"]


def test_a_broken_export_leaves_the_old_file(
    db: None, agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> Any:
        yield "half"
        raise OSError("disk full")

    output = tmp_path / "audit.csv"
    output.write_text("old")
    monkeypatch.setattr("governance.export.lines", fail)

    with pytest.raises(CommandError, match="disk full"):
        run("--output", str(output))

    assert output.read_text() == "old"
    assert os.listdir(tmp_path) == ["audit.csv"]


def test_it_says_where_it_cannot_write(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Cannot write to"):
        run("--output", str(tmp_path / "missing" / "audit.csv"))


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db.sqlite3"
    env = {**os.environ, "DATABASE_URL": url, "LOG_LEVEL": "WARNING"}
    manage = f"{sys.executable} manage.py"
    fill = (
        "from governance.models import Event; from governance import clock, ledger; "
        "[ledger.record(ledger.Kind.EXPORTED, at=clock.now(), actor=ledger.SYSTEM, "
        "x='x' * 900) for _ in range(600)]"
    )
    script = (
        f'{manage} migrate -v0 && {manage} shell -v0 -c "{fill}" && '
        f"{manage} export_audit | head -1"
    )

    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", script],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.startswith('"id","at",')
    assert done.stderr == ""
    assert done.returncode == 0
