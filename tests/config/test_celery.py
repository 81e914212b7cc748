"""Scaled out: real Celery processes, a real Redis-compatible server, a real PostgreSQL."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from tests.processes import Serving, eventually, last_beat, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary"


@pytest.fixture
def served(
    tmp_path: Path, postgres: str, valkey: str, diary: Path
) -> Iterator[Serving]:
    with serving(
        tmp_path,
        WORKER="celery",
        DATABASE_URL=postgres,
        REDIS_URL=valkey,
        DJANGO_SETTINGS_MODULE="tests.config.slow_settings",
        SLOW_JOB_DIARY=str(diary),
    ) as running:
        yield running


def starts(diary: Path) -> int:
    return len(diary.read_text().split()) if diary.exists() else 0


def test_jobs_run_and_run_again_when_a_worker_is_killed(
    served: Serving, postgres: str, valkey: str, diary: Path
) -> None:
    assert served.answers()
    eventually(lambda: last_beat(postgres))

    broker = valkey.replace("unix://", "redis+socket://")
    with Celery(broker=broker, set_as_current=False) as elsewhere:
        elsewhere.send_task("countersign.run", ["tests.config.slow_job.run"])
    eventually(lambda: starts(diary) == 1)
    os.kill(int(diary.read_text()), signal.SIGKILL)
    eventually(lambda: starts(diary) == 2)

    served.family()
    served.signal_group(signal.SIGTERM)
    eventually(served.is_gone, within=15)
