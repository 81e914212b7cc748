"""Jobs: nudged once, run alone, and never anybody's problem but their own."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db import transaction
from django_q.models import OrmQ
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from config import celery
from governance import clock, queue, solo
from governance.models import JobRun

SWEEP = "tests.governance.test_queue.sweep"
TROUBLE = "tests.governance.test_queue.trouble"
runs: list[str] = []


def sweep() -> int:
    runs.append(SWEEP)
    return 1


def trouble() -> int:
    raise ValueError("out of paper")


@pytest.fixture(autouse=True)
def _jobs(settings: Settings) -> None:
    settings.JOBS = {SWEEP: 1, TROUBLE: 1}
    runs.clear()
    queue._complaints.clear()


@pytest.mark.django_db
def test_a_nudge_waits_for_the_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        queue.nudge(SWEEP)
        assert not OrmQ.objects.exists()

    assert OrmQ.objects.get().args() == (SWEEP,)


@pytest.mark.django_db(transaction=True)
def test_a_nudge_is_forgotten_with_its_transaction() -> None:
    with transaction.atomic():
        queue.nudge(SWEEP)
        transaction.set_rollback(True)

    assert not OrmQ.objects.exists()


@pytest.mark.django_db
def test_a_job_waits_in_the_queue_once() -> None:
    queue.enqueue(SWEEP)
    queue.enqueue(SWEEP)
    queue.enqueue(TROUBLE)
    assert OrmQ.objects.count() == 2


@pytest.mark.django_db
def test_it_is_enqueued_again_while_a_worker_has_it() -> None:
    queue.enqueue(SWEEP)
    OrmQ.objects.update(lock=clock.now() + timedelta(seconds=45))
    queue.enqueue(SWEEP)
    assert OrmQ.objects.count() == 2


@pytest.mark.django_db
def test_what_dead_workers_took_is_handed_out_again() -> None:
    queue.enqueue(SWEEP)
    OrmQ.objects.update(lock=clock.now() + timedelta(seconds=45))

    assert queue.release() == 1
    assert OrmQ.objects.get().lock <= clock.now()


@pytest.mark.django_db
def test_it_notes_when_a_job_ran() -> None:
    before = clock.now()
    queue.run(SWEEP)
    queue.run(SWEEP)

    assert runs == [SWEEP, SWEEP]
    last_run_at = JobRun.objects.get(job=SWEEP).last_run_at
    assert last_run_at is not None
    assert last_run_at >= before


@pytest.mark.django_db
def test_a_job_that_fails_is_logged_once_and_not_noted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue.run(TROUBLE)
    queue.run(TROUBLE)

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "out of paper" in caplog.text
    assert not JobRun.objects.exists()


@pytest.mark.django_db
def test_it_runs_nothing_that_is_not_named_in_the_settings() -> None:
    queue.run("os.abort")


@pytest.mark.django_db
def test_a_job_does_not_overlap_itself() -> None:
    with solo.entered(SWEEP) as alone:
        assert alone
        queue.run(SWEEP)
    assert runs == []

    queue.run(SWEEP)
    assert runs == [SWEEP]


@pytest.mark.django_db
def test_a_broker_that_is_away_is_not_felt(
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.WORKER = "celery"
    monkeypatch.setitem(celery.app.conf, "broker_url", "redis://127.0.0.1:1/0")
    began = time.monotonic()
    queue.enqueue(SWEEP)
    assert time.monotonic() - began < 0.05

    # The thread that sends has one task at a time: ours is over when this one is.
    queue._sender.submit(int).result(timeout=10)
    assert "Could not ask Celery" in caplog.text
