"""Agents in the console: every change goes through the services, keys are shown once."""

from __future__ import annotations

import pytest
from django.test import Client

from governance import keys, services
from governance.errors import Refused
from governance.ledger import Kind
from governance.models import Agent, AgentKey, Event, User
from tests.cast import make_user
from tests.pages import browser, permit, queries, root

AGENTS = "/admin/governance/agent/"


@pytest.fixture
def admin(db: None) -> User:
    return root()


@pytest.fixture
def console(admin: User) -> Client:
    return browser(admin)


def page(agent: Agent, what: str = "change") -> str:
    return f"{AGENTS}{agent.pk}/{what}/"


def form(**fields: str) -> dict[str, str]:
    inline = {
        f"{rows}-{which}_FORMS": "0"
        for rows in ("keys", "webhooks")
        for which in ("TOTAL", "INITIAL")
    }
    agent = {"description": "", "owner": "", "environment": "production"}
    return {**inline, **agent, **fields}


def kinds() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("kind", flat=True))


def test_it_creates_an_agent_with_an_event(console: Client, alice: User) -> None:
    fields = form(name="crm-bot", owner=str(alice.pk), tags="eu, crm, eu")

    assert console.post(f"{AGENTS}add/", fields).status_code == 302

    agent = Agent.objects.get(name="crm-bot")
    assert (agent.owner, agent.tags) == (alice, ["eu", "crm"])
    event = Event.objects.get(kind=Kind.AGENT_CREATED)
    assert (event.actor_name, event.agent) == ("root", agent)


def test_it_does_not_create_the_same_name_twice(console: Client, agent: Agent) -> None:
    answer = console.post(f"{AGENTS}add/", form(name=agent.name, tags=""))

    assert "already exists" in answer.content.decode()
    assert Agent.objects.count() == 1


def test_it_records_what_changed(console: Client, agent: Agent) -> None:
    console.post(page(agent), form(environment="staging", tags="eu"))

    agent.refresh_from_db()
    assert agent.environment == "staging"
    event = Event.objects.get(kind=Kind.AGENT_CHANGED)
    assert event.data["changes"] == {
        "environment": {"old": "production", "new": "staging"},
        "tags": {"old": [], "new": ["eu"]},
    }


def test_it_saves_an_agent_that_has_keys(console: Client, agent: Agent) -> None:
    services.issue_key(agent)
    inline, _ = console.get(page(agent)).context["inline_admin_formsets"]
    [key] = agent.keys.all()
    sent = {
        "keys-TOTAL_FORMS": str(inline.formset.total_form_count()),
        "keys-INITIAL_FORMS": str(inline.formset.initial_form_count()),
        "keys-0-id": str(key.pk),
        "keys-0-agent": str(agent.pk),
        "keys-0-expires_at": "2036-01-01",
    }

    console.post(page(agent), {**form(environment="staging", tags=""), **sent})

    agent.refresh_from_db()
    assert agent.environment == "staging"
    assert agent.keys.get().expires_at is None


def test_it_records_nothing_when_nothing_changed(console: Client, agent: Agent) -> None:
    console.post(page(agent), form(tags=""))

    assert Kind.AGENT_CHANGED not in kinds()


def test_the_name_stays(console: Client, agent: Agent) -> None:
    console.post(page(agent), form(name="other", tags=""))

    agent.refresh_from_db()
    assert agent.name == "refund-bot"


def test_an_owner_cannot_hand_the_agent_over(
    admin: User, console: Client, agent: Agent, alice: User
) -> None:
    services.edit_agent(agent, owner=admin)

    console.post(page(agent), form(owner=str(alice.pk), tags=""))
    with pytest.raises(Refused, match="somebody else"):
        services.edit_agent(agent, author=admin, owner=alice)

    agent.refresh_from_db()
    assert agent.owner == admin


def test_a_key_is_shown_once_and_kept_nowhere(console: Client, agent: Agent) -> None:
    answer = console.post(page(agent, "issue_key"), {"lifetime": "30"})

    found = keys.LOOKS_LIKE_A_KEY.search(answer.content.decode())
    assert found
    shown = answer.content.decode()[found.start() :].split("<")[0]
    key = keys.verify(shown)
    assert key.expires_at
    assert "no-store" in answer["Cache-Control"]
    for url in (page(agent), page(agent, "issue_key"), AGENTS):
        assert shown not in console.get(url).content.decode()
    assert shown not in str(dict(console.session))
    assert not any(shown in event.body for event in Event.objects.all())


def test_looking_at_the_form_issues_nothing(console: Client, agent: Agent) -> None:
    console.get(page(agent, "issue_key"))

    assert not AgentKey.objects.exists()


def test_a_key_is_revoked_by_a_post_alone(console: Client, agent: Agent) -> None:
    plain = services.issue_key(agent)
    url = page(agent, f"keys/{agent.keys.get().pk}/revoke")

    console.get(url)
    assert keys.verify(plain)

    console.post(url)
    with pytest.raises(keys.InvalidKey):
        keys.verify(plain)


def test_it_suspends_and_resumes_with_a_reason(console: Client, agent: Agent) -> None:
    console.post(page(agent, "suspend"), {"reason": ""})
    assert Kind.AGENT_SUSPENDED not in kinds()

    console.post(page(agent, "suspend"), {"reason": "It loops."})
    agent.refresh_from_db()
    assert agent.suspended
    assert Event.objects.get(kind=Kind.AGENT_SUSPENDED).data["reason"] == "It loops."

    console.post(page(agent, "resume"), {"reason": "Repaired."})
    agent.refresh_from_db()
    assert not agent.suspended


def test_nobody_deletes_an_agent(console: Client, agent: Agent) -> None:
    assert console.post(page(agent, "delete"), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("what", ["issue_key", "suspend", "resume", "keys/1/revoke"])
def test_looking_is_not_touching(db: None, agent: Agent, what: str) -> None:
    viewer = make_user("viewer")
    permit(viewer, "governance.view_agent")
    services.issue_key(agent)

    answer = browser(viewer).post(page(agent, what), {"reason": "Because."})

    assert answer.status_code == 403
    assert kinds()[-1] == Kind.LOGGED_IN


def test_the_list_costs_the_same_for_one_and_eleven(console: Client) -> None:
    def make(number: int) -> None:
        agent = services.create_agent(f"bot-{number}", owner=make_user(f"p{number}"))
        services.issue_key(agent)

    make(0)
    one = queries(console, AGENTS)
    for number in range(1, 11):
        make(number)

    assert len(queries(console, AGENTS)) == len(one)
