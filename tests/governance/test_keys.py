"""Keys: shown once, kept as a hash, several per agent."""

from __future__ import annotations

import hmac
import logging
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from governance import clock, keys, services
from governance.models import Agent, AgentKey, Event
from tests.cast import AgentClient, make_user

pytestmark = pytest.mark.django_db


def everything_stored() -> str:
    """Every text in every table."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [str(row) for row in cursor.fetchall()]
    return "\n".join(found)


def test_a_key_has_256_random_bits(agent: Agent) -> None:
    issued = {services.issue_key(agent) for _ in range(50)}

    secrets = {key.split("_", 2)[2] for key in issued}
    assert len(secrets) == 50
    assert all(len(secret) == 43 for secret in secrets)


def test_nothing_stored_lets_anybody_use_it(
    agent: Agent, refund_rules: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = services.issue_key(agent)
    api = AgentClient(key)
    api.submit(20)
    api.get(f"/actions?key={key}")
    AgentClient(key[:-1] + "?").get("/actions")

    secret = key.split("_", 2)[2]
    assert secret not in everything_stored()
    assert secret not in caplog.text


def test_keys_are_compared_in_constant_time(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def compare(*pair: str) -> bool:
        compared.extend(pair)
        return False

    monkeypatch.setattr(hmac, "compare_digest", compare)
    key = services.issue_key(agent)

    for raw in (key, "agk_aaaaaaaaaaaa_" + "x" * 43, "nonsense"):
        assert keys.find(raw) is None
    assert [len(text) for text in compared] == [64] * 6


def test_an_agent_has_several_keys_so_that_they_can_be_rotated(agent: Agent) -> None:
    old, new = (services.issue_key(agent) for _ in range(2))
    assert keys.verify(old).agent == keys.verify(new).agent == agent

    services.revoke_key(keys.verify(old))
    with pytest.raises(keys.InvalidKey):
        keys.verify(old)
    assert keys.verify(new).agent == agent


def test_revoking_twice_is_the_same_as_once(agent: Agent) -> None:
    services.issue_key(agent)
    key = AgentKey.objects.get()
    services.revoke_key(key)
    services.revoke_key(key)

    assert Event.objects.filter(kind="key_revoked").count() == 1


def test_when_it_was_last_used_is_right_to_the_minute(agent: Agent) -> None:
    raw = services.issue_key(agent)
    keys.verify(raw)
    first = AgentKey.objects.get().last_used_at
    keys.verify(raw)
    assert AgentKey.objects.get().last_used_at == first

    with clock.shifted(timedelta(minutes=2)):
        keys.verify(raw)
    assert AgentKey.objects.get().last_used_at != first


def test_the_command_prints_the_key_and_nothing_else() -> None:
    make_user("alice")
    out = StringIO()
    call_command(
        "create_agent", "bot", owner="alice", environment="staging", stdout=out
    )

    (line,) = out.getvalue().splitlines()
    agent = keys.verify(line).agent
    assert (agent.name, agent.environment) == ("bot", "staging")
    assert agent.owner
    assert agent.owner.username == "alice"


@pytest.mark.parametrize(
    ("name", "owner", "words"),
    [
        ("refund-bot", None, "already an agent"),
        ("other", "nobody", "no user named nobody"),
        ("Not A Slug", None, "lower-case"),
    ],
)
def test_the_command_refuses_in_a_sentence(
    agent: Agent, name: str, owner: str | None, words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("create_agent", name, owner=owner)

    assert Agent.objects.count() == 1
