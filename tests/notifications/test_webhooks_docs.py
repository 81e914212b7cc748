"""What docs/webhooks.md tells those who write agents is so."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from approvals import services
from approvals.models import ApprovalRequest, Vote
from governance.models import Agent, User
from notifications.jobs import publish_events
from notifications.webhooks import keeping, messages
from notifications.webhooks.jobs import send_webhooks
from notifications.webhooks.models import LEASE, MANY_FAILURES, SCHEDULE
from tests.notifications.receivers import Receiver
from tests.pages import root
from tests.test_docs import DOCS, listed

TEXT = (DOCS / "webhooks.md").read_text()


def example(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def told(
    agent: Agent, refund: ApprovalRequest, alice: User, receiver: Receiver
) -> tuple[str, Any]:
    """An approval that has arrived: the secret, and what was received."""
    secret = keeping.set_up(agent, receiver.url, author=root())[1]
    said: dict[str, Any] = {"comment": "Clear photo.", "digest": refund.digest}
    services.decide(refund, alice, Vote.Verdict.APPROVE, **said)
    publish_events()
    send_webhooks()
    return secret, receiver.received[0]


@pytest.mark.django_db
def test_the_example_verifies(told: tuple[str, Any]) -> None:
    secret, received = told
    names: dict[str, Any] = {}
    exec(example("python"), names)

    said = names["read"](secret, received.headers, received.body)
    assert said["type"] == "action.approved"
    with pytest.raises(Exception, match="No matching signature"):
        names["read"](secret, received.headers, received.body + b" ")


def shape(value: Any) -> Any:
    """Return the names in a value, in their order, and nothing of what they hold."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(value[0])] if value and isinstance(value, list) else None


@pytest.mark.django_db
def test_the_message_looks_like_that(told: tuple[str, Any]) -> None:
    _, received = told

    assert shape(json.loads(received.body)) == shape(json.loads(example("json")))
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        assert f"{name}: " in TEXT
        assert name in received.headers


def test_every_type_is_listed() -> None:
    types = {*messages.TYPES.values(), *messages.JUDGED_AGAIN.values(), messages.TEST}

    assert types <= listed("webhooks.md")


def test_the_schedule_is_the_one_that_is_kept() -> None:
    units = {"s": "seconds", "min": "minutes", "h": "hours"}
    found = re.search(r"\| after \| at once \|(.*)\|", TEXT)
    assert found
    cells = (cell.split() for cell in found[1].split("|"))
    waits = [timedelta(**{units[unit]: int(number)}) for number, unit in cells]

    assert tuple(waits) == SCHEDULE
    assert f"After {MANY_FAILURES} failures in a row" in TEXT
    assert f"{LEASE.seconds} seconds" in TEXT
    assert f"may have {keeping.MOST}." in TEXT
