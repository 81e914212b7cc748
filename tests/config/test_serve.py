"""One command starts everything, keeps it running, and leaves nothing behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.processes import Serving, eventually, last_beat, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/served.sqlite3"


@pytest.fixture
def served(tmp_path: Path, database: str) -> Iterator[Serving]:
    with serving(tmp_path, DATABASE_URL=database, WORKER="q2") as running:
        yield running


def beats_again(database: str, within: float) -> None:
    before = last_beat(database)
    eventually(lambda: last_beat(database) != before, within)


def idle_workers(served: Serving) -> list[psutil.Process]:
    """Return the processes that wait for jobs: the first ones the sentinel forks."""
    (sentinel,) = eventually(lambda: served.child("work").children())
    eventually(lambda: len(sentinel.children()) == 5)
    return sorted(sentinel.children(), key=lambda process: int(process.pid))[:3]


def test_it_survives_what_kills_its_children(served: Serving, database: str) -> None:
    assert httpx.get(f"{served.url}/healthz").json() == {"status": "ok"}
    assert "The first administrator is admin, password" in served.output
    eventually(lambda: last_beat(database))

    served.child("web").kill()
    eventually(served.answers)

    served.child("tick").kill()
    beats_again(database, within=15)

    # One of them holds the queue's lock: without help, no job would ever run again.
    for worker in idle_workers(served):
        worker.kill()
    beats_again(database, within=45)
    assert "The queue is stuck" in served.output

    served.family()
    served.signal_group(signal.SIGTERM)
    eventually(served.is_gone, within=15)
    assert served.process.wait(timeout=5) == 0


def test_nothing_outlives_it_even_when_it_is_killed(
    served: Serving, database: str
) -> None:
    assert served.answers()
    eventually(lambda: last_beat(database))
    assert len(served.family()) >= 8

    served.process.kill()
    eventually(served.is_gone, within=5)


def test_it_stops_when_only_its_main_process_is_told_to(served: Serving) -> None:
    assert served.answers()
    served.family()

    served.process.send_signal(signal.SIGINT)
    eventually(served.is_gone, within=15)


def test_two_may_start_at_once_on_a_new_postgresql(
    tmp_path: Path, postgres: str
) -> None:
    (tmp_path / "other").mkdir()
    with (
        serving(tmp_path, DATABASE_URL=postgres, WORKER="q2") as one,
        serving(tmp_path / "other", DATABASE_URL=postgres, WORKER="q2") as other,
    ):
        assert one.answers()
        assert other.answers()
        for _ in range(3):
            beats_again(postgres, within=30)
        both = one.output + other.output
        # Forked workers on one connection would answer each other's questions.
        assert "ERROR" not in both
        assert both.count("The first administrator is admin") == 1
