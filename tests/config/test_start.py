"""Before the first process starts: a migrated database, and somebody who can log in."""

from __future__ import annotations

import psycopg
import pytest
from django.contrib.auth import authenticate
from django.db import connection
from django.test import RequestFactory

from config import start
from governance.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USERNAME", "PASSWORD", "EMAIL"):
        monkeypatch.delenv(f"DJANGO_SUPERUSER_{name}", raising=False)


def can_log_in(username: str, password: str) -> bool:
    request = RequestFactory().post("/admin/login/")
    return authenticate(request, username=username, password=password) is not None


def test_it_makes_up_a_password() -> None:
    new = start.first_administrator()
    assert new is not None
    assert can_log_in("admin", new.password)
    assert User.objects.get().is_superuser


def test_it_takes_the_administrator_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "root")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse")
    monkeypatch.setenv("DJANGO_SUPERUSER_EMAIL", "root@example.com")

    assert start.first_administrator() is None
    assert can_log_in("root", "correct horse")
    assert User.objects.get().email == "root@example.com"


def test_it_makes_no_second_administrator() -> None:
    start.first_administrator()
    assert start.first_administrator() is None
    assert User.objects.count() == 1


def test_an_administrator_who_left_does_not_count() -> None:
    User.objects.create_superuser("alice", is_active=False)
    assert start.first_administrator() is not None


def test_nobody_is_promoted_because_of_their_name() -> None:
    User.objects.create_user("admin")
    assert start.first_administrator() is None
    assert not User.objects.get().is_superuser


@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite is on one machine"
)
def test_a_second_machine_waits_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "PATIENCE", 0.1)
    with psycopg.connect(_here()) as elsewhere:
        elsewhere.execute("SELECT pg_advisory_lock(hashtextextended('start', 0))")
        with pytest.raises(TimeoutError):
            start._wait_for_lock()
    # The server takes its time to notice that the other one has gone.
    monkeypatch.setattr(start, "PATIENCE", 30)
    start._wait_for_lock()


def _here() -> str:
    parameters = connection.get_connection_params()
    keys = ("host", "user", "dbname")
    return " ".join(f"{key}={parameters[key]}" for key in keys)
