"""The ticker: each job gets its turn, and only one ticker takes it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django_q.models import OrmQ
from pytest_django import Settings

from config import ticker
from governance import clock
from governance.models import JobRun

OFTEN, RARELY = "jobs.often", "jobs.rarely"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _jobs(settings: Settings) -> None:
    settings.JOBS = {OFTEN: 1, RARELY: 60}


def test_every_job_has_its_first_turn_at_once() -> None:
    assert ticker.tick() == [OFTEN, RARELY]
    assert OrmQ.objects.count() == 2


def test_a_turn_is_taken_once() -> None:
    ticker.tick()
    assert ticker.tick() == []


def test_the_next_turn_comes_after_the_interval() -> None:
    ticker.tick()
    with clock.shifted(timedelta(seconds=2)):
        assert ticker.tick() == [OFTEN]


def test_a_ticker_that_looked_earlier_does_not_take_the_turn_again() -> None:
    ticker.tick()
    JobRun.objects.update(next_at=clock.now())

    assert ticker._take_turn(OFTEN)
    assert not ticker._take_turn(OFTEN)


def test_it_does_not_wait_for_a_clock_that_was_set_back() -> None:
    with clock.shifted(timedelta(hours=1)):
        ticker.tick()
    assert ticker.tick() == [OFTEN, RARELY]
