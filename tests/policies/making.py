"""Rules and actions as the tests of this folder need them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from governance import canonical, clock
from governance.models import Action, Agent, Status
from policies import services
from policies.bodies import Body, Subject

STAGE = {"name": "Manager", "groups": ["managers"], "timeout": "4h"}


def flow(name: str = "managers", *stages: Body, **stage: Any) -> Body:
    return {"name": name, "stages": list(stages) or [{**STAGE, **stage}]}


def policy(name: str = "small", **values: Any) -> Body:
    body = {"name": name, "actions": ["refund.create"], "decision": "ALLOW"}
    return {**body, **values}


def asking(name: str = "large", **values: Any) -> Body:
    return policy(
        name, **{"decision": "REQUIRE_APPROVAL", "flow": "managers", **values}
    )


def lookback(name: str = "customer_refunds", **values: Any) -> Body:
    body = {"actions": ["refund.create"], "key": "params.customer_id", "window": "30d"}
    return {"name": name, **body, **values}


def factor(name: str = "repeat", **values: Any) -> Body:
    return {"name": name, "actions": ["*"], "points": 10, **values}


def make_lookback(**values: Any) -> None:
    services.save(Subject.LOOKBACK, lookback(**values))


def make_action(
    agent: Agent,
    *,
    name: str = "refund.create",
    status: Status = Status.SUCCEEDED,
    age: timedelta = timedelta(0),
    decision: str = "",
    context: dict[str, Any] | None = None,
    resource: dict[str, str] | None = None,
    **params: Any,
) -> Action:
    """Put an action on record that was submitted this long ago."""
    at: datetime = clock.now() - age
    waiting = status in (Status.PENDING, Status.CHANGES_REQUESTED)
    return Action.objects.create(
        agent=agent,
        name=name,
        params={"customer_id": "C-7", **params},
        context=context or {},
        resource=resource,
        digest=canonical.digest(name, params, resource),
        status=status,
        decision=decision,
        created_at=at,
        judged_at=at,
        updated_at=at,
        settled_at=None if waiting else at,
        grant_expires_at=at + timedelta(hours=1),
    )
