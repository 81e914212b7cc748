"""What the database refuses, whoever asks and however."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from approvals import services
from approvals.models import Vote
from approvals.services import review
from governance import clock, ledger, triggers
from governance.ledger import Kind
from governance.models import Action, Event
from tests.cast import AgentClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def event() -> Event:
    event = ledger.record(Kind.EXPORTED, at=clock.now(), actor=ledger.SYSTEM, rows=1)
    # PostgreSQL changes no table that still has deferred checks to do.
    connection.check_constraints()
    return event


def refuses(statement: str, *arguments: Any) -> bool:
    """Whether the database turns this statement down, and nothing has changed."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, arguments)
    except DatabaseError as error:
        return "countersign" in str(error)
    return False


def test_an_event_cannot_be_changed(event: Event) -> None:
    assert refuses("UPDATE governance_event SET kind = 'x' WHERE id = %s", event.pk)


def test_an_event_cannot_be_removed(event: Event) -> None:
    assert refuses("DELETE FROM governance_event WHERE id = %s", event.pk)


def test_events_cannot_be_removed_all_at_once(event: Event) -> None:
    if connection.vendor == "postgresql":
        assert refuses("TRUNCATE governance_event CASCADE")
    assert refuses("DELETE FROM governance_event")


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="SQLite's own way round.")
def test_an_event_cannot_be_replaced(event: Event) -> None:
    assert refuses(
        "INSERT OR REPLACE INTO governance_event SELECT * FROM governance_event "
        "WHERE id = %s",
        event.pk,
    )


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="No such mode.")
def test_a_session_that_calls_itself_a_replica_is_refused_too(event: Event) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
    assert refuses("DELETE FROM governance_event WHERE id = %s", event.pk)


@pytest.mark.parametrize("column", ["params", "resource", "name", "digest"])
def test_what_would_run_cannot_be_changed(api: AgentClient, column: str) -> None:
    api.submit(20)
    value = '{"amount": 9}' if column in ("params", "resource") else "x"

    assert refuses(f"UPDATE governance_action SET {column} = %s", value)
    assert refuses("DELETE FROM governance_action")


def test_a_new_revision_may_change_what_would_run(api: AgentClient) -> None:
    api.submit(20)
    assert Action.objects.update(params={"amount": 9}, revision=2) == 1


@pytest.mark.parametrize("table", ["approvals_vote", "policies_version"])
def test_votes_and_versions_cannot_be_changed(
    refund_rules: None, api: AgentClient, alice: Any, table: str
) -> None:

    request = review.find(api.submit(75)["id"])
    assert request
    services.decide(request, alice, Vote.Verdict.APPROVE, digest=request.digest)

    assert refuses(f"UPDATE {table} SET id = id + 100")
    assert refuses(f"DELETE FROM {table}")


def test_the_triggers_come_back_after_a_migration(event: Event) -> None:
    triggers.remove(connection, Event)
    assert not refuses("UPDATE governance_event SET kind = kind")

    call_command("migrate", verbosity=0)
    assert refuses("UPDATE governance_event SET kind = kind")
