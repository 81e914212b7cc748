"""What the doctor finds: one test for everything it refuses, on both databases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from approvals.models import BypassReview
from config import checks
from governance import clock, freezes, guards, queue, triggers
from governance.models import Agent, Event, JobRun, User
from policies import services as rules
from policies.bodies import Subject
from tests.approvals.factories import make_request


def ids(check: checks.Check) -> list[str | None]:
    return [message.id for message in check()]


@pytest.fixture
def at_work(db: None) -> None:
    """A worker that has just run a job."""
    now = clock.now()
    JobRun.objects.create(job=queue.HEARTBEAT, next_at=now, last_run_at=now)


@pytest.mark.parametrize(
    ("check", "setting", "value", "found"),
    [
        (checks.debug, "DEBUG", True, "countersign.E001"),
        (checks.secret_key, "SECRET_KEY", "short", "countersign.E002"),
        (checks.secret_key, "SECRET_KEY", "a" * 60, "countersign.E002"),
        (
            checks.secret_key,
            "SECRET_KEY",
            "django-insecure-0123456789abcdefghijklmnopqrstuvwxyz0123456789",
            "countersign.E002",
        ),
        (checks.hosts, "ALLOWED_HOSTS", ["*"], "countersign.E003"),
        (
            checks.public_url,
            "PUBLIC_URL",
            "http://approvals.example.com",
            "countersign.E004",
        ),
        (
            checks.mail,
            "EMAIL_BACKEND",
            "django.core.mail.backends.console.EmailBackend",
            "countersign.W005",
        ),
        (checks.worker_setting, "WORKER", "rq", "countersign.E006"),
        (checks.slack, "SLACK_BOT_TOKEN", "xoxb-1", "countersign.E018"),
    ],
)
def test_it_refuses_unsafe_settings(
    settings: Any, check: checks.Check, setting: str, value: Any, found: str
) -> None:
    setattr(settings, setting, value)

    assert ids(check) == [found]


@pytest.mark.parametrize(
    "url", ["https://approvals.example.com", "http://localhost:8000", "http://[::1]"]
)
def test_safe_addresses_are_fine(settings: Any, url: str) -> None:
    settings.PUBLIC_URL = url

    assert ids(checks.public_url) == []


@pytest.mark.parametrize("secret", ["", "  "])
def test_nothing_starts_that_could_not_check_slack(settings: Any, secret: str) -> None:
    settings.SLACK_BOT_TOKEN, settings.SLACK_SIGNING_SECRET = "xoxb-1", secret
    with pytest.raises(SystemCheckError, match="SLACK_SIGNING_SECRET"):
        call_command("check")

    settings.SLACK_SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
    call_command("check")


def test_this_database_is_as_it_should_be(db: None) -> None:
    assert ids(checks.sqlite) == []
    assert ids(checks.migrations) == []
    assert ids(checks.triggers) == []
    assert ids(checks.clocks) == []


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite")
@pytest.mark.django_db(transaction=True)
def test_it_refuses_a_database_that_forgets() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=NORMAL")
        try:
            assert ids(checks.sqlite) == ["countersign.E007"]
        finally:
            cursor.execute("PRAGMA synchronous=FULL")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite")
def test_it_refuses_transactions_that_fail_half_way(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        connection.settings_dict["OPTIONS"], "transaction_mode", "DEFERRED"
    )

    assert ids(checks.sqlite) == ["countersign.E007"]


def test_it_refuses_pending_migrations(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'approvals'")

    assert ids(checks.migrations) == ["countersign.E008"]


def test_it_misses_a_trigger(db: None) -> None:
    triggers.remove(connection, Event)

    assert set(ids(checks.triggers)) == {"countersign.E009"}
    assert all("governance_event" in str(m.msg) for m in checks.triggers())


def test_it_notices_another_text_of_a_trigger(db: None) -> None:
    on = ' ON "governance_event"' if connection.vendor == "postgresql" else ""
    name = "countersign_governance_event_delete"
    body = (
        "FOR EACH ROW WHEN (OLD.id < 0) EXECUTE FUNCTION countersign_refuse()"
        if connection.vendor == "postgresql"
        else "FOR EACH ROW WHEN OLD.id < 0 BEGIN SELECT 1; END"
    )
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TRIGGER "{name}"{on}')
        cursor.execute(
            f'CREATE TRIGGER "{name}" BEFORE DELETE ON "governance_event" {body}'
        )

    [fault] = guards.faults(connection)

    assert fault == f"the trigger {name} of governance_event has another text"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="about PostgreSQL")
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE governance_event DISABLE TRIGGER USER",
        "CREATE OR REPLACE FUNCTION countersign_refuse() RETURNS trigger "
        "LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    ],
)
def test_it_notices_a_trigger_that_does_nothing(db: None, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)

    assert guards.faults(connection)


@pytest.mark.parametrize("skew", [-3, 3])
def test_it_refuses_a_clock_that_is_off(db: None, skew: int) -> None:
    with clock.shifted(timedelta(seconds=skew)):
        assert ids(checks.clocks) == ["countersign.E010"]


def test_a_slight_difference_is_fine(db: None) -> None:
    with clock.shifted(timedelta(seconds=1)):
        assert ids(checks.clocks) == []


def test_it_refuses_silent_workers(at_work: None) -> None:
    assert ids(checks.workers) == []

    with clock.shifted(timedelta(minutes=2)):
        assert ids(checks.workers) == ["countersign.E011"]

    JobRun.objects.all().delete()
    assert ids(checks.workers) == ["countersign.E011"]


def test_it_refuses_a_broker_that_does_not_answer(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert ids(checks.broker) == []

    settings.WORKER = "celery"
    assert ids(checks.broker) == ["countersign.E012"]


def test_a_broker_that_answers_is_fine(settings: Any, valkey: str) -> None:
    settings.WORKER, settings.REDIS_URL = "celery", valkey

    assert ids(checks.broker) == []


def test_it_refuses_stages_that_nobody_could_satisfy(
    refund_rules: None, carol: User, alice: User
) -> None:
    assert ids(checks.stages) == []

    User.objects.filter(username="carol").update(is_active=False)
    [problem] = checks.stages()
    assert problem.id == "countersign.E013"
    assert "the stage Finance" in str(problem.msg)


def test_it_asks_who_owns_an_agent(agent: Agent, alice: User) -> None:
    assert ids(checks.owners) == ["countersign.W014"]

    Agent.objects.update(owner=alice)
    assert ids(checks.owners) == []


def test_it_says_when_there_are_no_rules(db: None) -> None:
    assert ids(checks.rules) == ["countersign.W015"]

    rules.save(Subject.DEFAULT, {"decision": "BLOCK"})
    assert ids(checks.rules) == []


def doctor() -> str:
    out = StringIO()
    call_command("doctor", stdout=out, no_color=True)
    return out.getvalue()


def test_it_says_a_line_per_check_and_that_all_is_well(
    at_work: None, settings: Any
) -> None:
    settings.SECRET_KEY = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
    rules.save(Subject.DEFAULT, {"decision": "BLOCK"})

    said = doctor()

    assert "ok    DEBUG is off." in said
    assert said.endswith("Nothing is wrong.\n")


def test_one_error_is_enough(at_work: None, settings: Any) -> None:
    settings.DEBUG = True
    out = StringIO()

    with pytest.raises(CommandError, match="1 error found"):
        call_command("doctor", stdout=out, no_color=True)

    assert "error DEBUG is on" in out.getvalue()
    assert "      Unset DEBUG." in out.getvalue()


def test_it_says_so_without_a_database(tmp_path: Path) -> None:
    env = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}

    done = manage(env, "doctor")

    assert done.returncode == 1
    assert "The database cannot say" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


PRODUCTION = {
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ",
    "PUBLIC_URL": "https://approvals.example.com",
    "ALLOWED_HOSTS": "approvals.example.com",
    "BEHIND_PROXY": "1",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.com:587",
}


def test_production_passes_the_deployment_checks(tmp_path: Path) -> None:
    url = {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    done = manage({**os.environ, **url, **PRODUCTION}, "check", "--deploy")

    assert re.search(r"no issues", done.stdout + done.stderr), done.stderr
    assert done.returncode == 0


def test_deployment_checks_include_ours(tmp_path: Path) -> None:
    url = {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    env = {**os.environ, **url, **PRODUCTION, "ALLOWED_HOSTS": "*"}

    assert "countersign.E003" in manage(env, "check", "--deploy").stderr


def manage(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_notices_what_stays_frozen(db: None) -> None:
    freezes.freeze("refund.*", reason="Refunds are paid twice.")
    assert ids(checks.freezes) == []

    with clock.shifted(timedelta(days=1, seconds=1)):
        assert ids(checks.freezes) == ["countersign.W016"]


def test_it_notices_what_nobody_reviews(agent: Agent, refund_rules: None) -> None:
    refund = make_request(agent)
    BypassReview.objects.create(request=refund, opened_at=clock.now())
    assert ids(checks.bypasses) == []

    with clock.shifted(timedelta(days=7, seconds=1)):
        assert ids(checks.bypasses) == ["countersign.W017"]
