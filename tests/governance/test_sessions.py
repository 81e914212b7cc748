"""Logins, failed logins and logouts are on record, and passwords never are."""

from __future__ import annotations

from django.test import Client

from governance.ledger import Kind
from governance.models import Event, User

LOGIN = "/admin/login/"


def log_in(client: Client, username: str, password: str) -> None:
    client.post(LOGIN, {"username": username, "password": password})


def test_coming_and_going_is_on_record(client: Client, alice: User) -> None:
    log_in(client, "alice", "demo")
    client.post("/admin/logout/")

    came, went = Event.objects.order_by("pk")
    assert (came.kind, came.actor_name) == (Kind.LOGGED_IN, "alice")
    assert (went.kind, went.actor_name) == (Kind.LOGGED_OUT, "alice")
    assert came.data["address"] == "127.0.0.1"


def test_a_failed_login_names_the_account_and_nobody_as_actor(
    client: Client, alice: User
) -> None:
    log_in(client, "alice", "wrong")

    event = Event.objects.get(kind=Kind.LOGIN_FAILED)
    assert event.data["username"] == "alice"
    assert (event.actor_kind, event.actor_id) == ("visitor", "")


def test_a_password_typed_as_a_name_stays_off_the_record(
    client: Client, alice: User
) -> None:
    log_in(client, "hunter2hunter2", "wrong")

    event = Event.objects.get(kind=Kind.LOGIN_FAILED)
    assert event.data["username"] is None
    assert "hunter2" not in event.body
