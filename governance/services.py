"""Every way an agent or its keys can change. Each change is one event on the record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction

from governance import clock, keys, ledger
from governance.errors import Refused
from governance.ledger import Actor, Kind
from governance.models import Agent, AgentKey, User


class NameTaken(Refused):
    code = "name_taken"


class OwnAgent(Refused):
    code = "own_agent"
    status = 403


EDITABLE = ("description", "owner", "environment", "tags")


def by(user: User | None) -> Actor:
    """Return who acts: a person, or the system when a command runs without one."""
    return Actor.person(user) if user else ledger.SYSTEM


@transaction.atomic
def create_agent(
    name: str,
    *,
    description: str = "",
    owner: User | None = None,
    environment: str = "production",
    tags: Sequence[str] = (),
    author: User | None = None,
) -> Agent:
    if Agent.objects.filter(name=name).exists():
        raise NameTaken(f"There is already an agent named {name}.")
    agent = Agent(
        name=name,
        description=description,
        owner=owner,
        environment=environment,
        tags=list(tags),
    )
    agent.full_clean()
    agent.save()
    note(agent, Kind.AGENT_CREATED, author, **describe(agent))
    return agent


@transaction.atomic
def edit_agent(agent: Agent, *, author: User | None = None, **wanted: Any) -> None:
    """Change what is said about an agent. Its name stays: rules and records use it.

    Its owner may not hand it over: four eyes would be a matter of two clicks.
    """
    assert wanted.keys() <= set(EDITABLE), wanted
    agent = Agent.objects.select_for_update(of=("self",), no_key=True).get(pk=agent.pk)
    before = describe(agent)
    if author and author.pk == agent.owner_id and wanted.get("owner", author) != author:
        raise OwnAgent("You own this agent: somebody else has to give it a new owner.")
    for name, value in wanted.items():
        setattr(agent, name, value)
    agent.full_clean()
    after = describe(agent)
    if before != after:
        agent.save(update_fields=wanted)
        changes = {
            name: {"old": before[name], "new": after[name]}
            for name in before
            if before[name] != after[name]
        }
        note(agent, Kind.AGENT_CHANGED, author, changes=changes)


def describe(agent: Agent) -> dict[str, object]:
    return {
        "name": agent.name,
        "description": agent.description,
        "owner": agent.owner.get_username() if agent.owner else None,
        "environment": agent.environment,
        "tags": agent.tags,
    }


@transaction.atomic
def issue_key(
    agent: Agent, *, author: User | None = None, lifetime: timedelta | None = None
) -> str:
    """Give the agent one more key. Return it: this is the only time it can be read."""
    key, plain = keys.make(agent, author, lifetime)
    expires = key.expires_at.isoformat() if key.expires_at else None
    note(agent, Kind.KEY_ISSUED, author, prefix=key.prefix, expires_at=expires)
    return plain


@transaction.atomic
def revoke_key(key: AgentKey, *, author: User | None = None) -> None:
    """End a key for good. Twice is the same as once."""
    revoked = AgentKey.objects.filter(pk=key.pk, revoked_at=None)
    if revoked.update(revoked_at=clock.now()):
        note(key.agent, Kind.KEY_REVOKED, author, prefix=key.prefix)


@transaction.atomic
def suspend(agent: Agent, *, author: User | None = None, reason: str = "") -> None:
    """Stop an agent: its next call is refused, also for what was approved before."""
    if Agent.objects.filter(pk=agent.pk, suspended=False).update(suspended=True):
        note(agent, Kind.AGENT_SUSPENDED, author, reason=reason)


@transaction.atomic
def resume(agent: Agent, *, author: User | None = None, reason: str = "") -> None:
    if Agent.objects.filter(pk=agent.pk, suspended=True).update(suspended=False):
        note(agent, Kind.AGENT_RESUMED, author, reason=reason)


def note(agent: Agent, kind: Kind, author: User | None, **data: Any) -> None:
    ledger.record(
        kind,
        at=clock.now(),
        actor=by(author),
        agent=agent,
        stream=f"agent:{agent.name}",
        **data,
    )
