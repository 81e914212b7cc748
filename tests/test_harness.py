"""The ground the other tests stand on."""

from __future__ import annotations

import psycopg
import pytest
import redis
from django.db import DatabaseError, connection, transaction

from governance import clock
from governance.models import Event


def make_event() -> Event:
    return Event.objects.create(
        stream="system", kind="exported", at=clock.now(), actor_kind="system", body="{}"
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time", ["first", "second"])
def test_what_was_committed_is_gone_and_the_triggers_are_back(time: str) -> None:
    assert not Event.objects.exists()

    event = make_event()
    with pytest.raises(DatabaseError, match="refused"):
        event.delete()


@pytest.mark.django_db
def test_tests_that_roll_back_keep_the_triggers() -> None:
    event = make_event()
    with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
        event.delete()


@pytest.mark.django_db
def test_the_database_is_not_the_developers_own() -> None:
    assert "test" in str(connection.settings_dict["NAME"])


@pytest.mark.slow
def test_it_brings_its_own_postgresql(postgres: str) -> None:
    with psycopg.connect(postgres) as database:
        assert database.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.slow
def test_it_brings_its_own_redis(valkey: str) -> None:
    with redis.Redis.from_url(valkey) as client:
        assert client.ping()
