"""The audit log's filters: each finds its part, and reads no more than that of a million."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test import Client

from approvals.models import ApprovalRequest
from governance import clock
from governance.models import Action, Agent, Event, Status, User
from governance.moments import moment
from tests.cast import AgentClient
from tests.pages import browser, root

EVENTS = "/admin/governance/event/"
HOSTILE = "<img src=x onerror=alert(1)>\N{RIGHT-TO-LEFT OVERRIDE}'\"%_"


@pytest.fixture
def boss(db: None) -> Client:
    return browser(root())


def listed(client: Client, **query: str) -> list[str]:
    answer = client.get(EVENTS, query)
    assert answer.status_code == 200
    return [event.kind for event in answer.context["cl"].result_list]


def test_by_the_actions_name_or_id(boss: Client, refund: ApprovalRequest) -> None:
    everything = listed(boss, q=str(refund.action_id))

    assert "submitted" in everything
    assert listed(boss, action="refund.create") == everything
    assert listed(boss, action=f" {refund.action_id} ") == everything
    assert listed(boss, action="refund") == []


def test_by_the_policy_that_decided_or_was_changed(
    boss: Client, refund: ApprovalRequest, api: AgentClient
) -> None:
    api.submit(amount=10)

    assert listed(boss, policy="refunds-50-to-200") == ["submitted", "policy_changed"]
    assert listed(boss, policy="refunds-50-to-200", action="refund.create") == [
        "submitted"
    ]


def test_by_the_status_after_it(boss: Client, api: AgentClient) -> None:
    api.submit()

    assert listed(boss, status="blocked") == ["blocked", "submitted"]
    assert listed(boss, status="pending") == []


def test_by_the_moment(boss: Client, refund: ApprovalRequest) -> None:
    at = Event.objects.filter(kind="submitted").get().at
    around = {
        "at_from": f"{at - timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}",
        "at_to": f"{at + timedelta(seconds=2):%Y-%m-%dT%H:%M:%S}Z",
    }

    assert "submitted" in listed(boss, **around)
    assert listed(boss, at_to=around["at_from"], kind="submitted") == []


def test_the_form_shows_what_the_address_says(boss: Client) -> None:
    page = boss.get(EVENTS, {"at_from": "2026-11-22", "at_to": "2026-11-22"})

    assert 'value="2026-11-22T00:00:00"' in page.content.decode()
    assert 'value="2026-11-23T00:00:00"' in page.content.decode()


@pytest.mark.parametrize("name", ["action", "policy", "q", "who", "kind", "at_from"])
def test_what_somebody_writes_stays_text(boss: Client, name: str) -> None:
    page = boss.get(EVENTS, {name: HOSTILE})

    assert page.status_code == 200
    assert "<img src=x" not in page.content.decode()


@pytest.mark.parametrize(
    "text", ["", "yesterday", "9999-12-31T23:59", "0001-01-01", "٣"]
)
def test_what_is_no_moment_is_none(text: str) -> None:
    assert moment(text) is None


def test_people_and_agents_are_found_by_name(
    boss: Client, refund: ApprovalRequest, alice: User
) -> None:
    browser(alice).get(f"/admin/approvals/approvalrequest/{refund.pk}/change/")

    assert listed(boss, q="alice") == ["viewed", "logged_in"]
    assert "submitted" in listed(boss, q="refund-bot")
    assert listed(boss, q="policy:refunds-50-to-200") == ["policy_changed"]


FILTERS: dict[str, dict[str, Any]] = {
    "event_by_kind": {"kind": "voted"},
    "event_by_agent": {"agent": 7},
    "event_by_name": {"action_name": "refund.create"},
    "event_by_status": {"status": "rejected"},
    "event_by_policy": {"policy__gt": "", "policy": "large"},
    "event_by_person": {"actor_kind": "person", "actor_id": "7"},
    "event_by_time": {},
}


def test_each_filter_has_an_index(agent: Agent) -> None:
    fill()

    for index, wanted in FILTERS.items():
        rows = Event.objects.filter(**wanted).order_by("-at", "-pk")
        since = rows.filter(at__gte=clock.now() - timedelta(days=30))
        for query in (rows[:51], since[:51]):
            assert index in plan(query)


def fill() -> None:
    """Write so many events that reading all of them would be a bad plan."""
    Event.objects.bulk_create(
        Event(stream="x", kind="x", at=clock.now(), body="{}", action_name=str(number))
        for number in range(2_000)
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE governance_event")


def test_the_latest_of_a_name_have_an_index(agent: Agent) -> None:
    """Of many names: else reading the latest of all is as good."""
    at = clock.now()
    Action.objects.bulk_create(
        Action(
            agent=agent,
            name=f"action.n{number}",
            status=Status.BLOCKED,
            created_at=at,
            judged_at=at,
            updated_at=at,
            settled_at=at,
        )
        for number in range(2_000)
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE governance_action")
    rows = Action.objects.filter(name="refund.create").order_by("-pk")

    assert "action_of_name" in plan(rows[:500])


def plan(rows: QuerySet[Event] | QuerySet[Action]) -> str:
    """Return how the database would read them, if the table were large."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
    return rows.explain()


@pytest.mark.parametrize("text", ["zz", "2026-13-01", "\u202e2026", "9999-99-99T00:00"])
def test_a_time_that_cannot_be_read_is_said_and_selects_nothing(
    boss: Client, refund: ApprovalRequest, text: str
) -> None:
    assert listed(boss, at_from=text, kind="submitted") == []
    assert listed(boss, at_to=text) == []
    page = boss.get(EVENTS, {"at_from": text}).content.decode()
    assert page.count("is no time. Write 2026-11-22") == 1

    export = f"{EVENTS}export/?{urlencode({'at_from': text})}"
    answer = boss.post(export, {"format": "csv"}, follow=True)
    assert answer.redirect_chain == [(f"{EVENTS}?{urlencode({'at_from': text})}", 302)]
    assert answer.content.decode().count("is no time. Write 2026-11-22") == 1
    assert not Event.objects.filter(kind="exported").exists()

    asked = boss.get("/admin/governance/action/", {"created_at_from": text})
    assert "is no time. Write" in asked.content.decode()
    assert not asked.context["cl"].result_list
