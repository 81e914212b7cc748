"""The record in the console: complete to read, to take away with a right, never to edit."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from approvals.models import ApprovalRequest, Vote
from approvals.services import decide, revise
from approvals.services.review import find
from governance import clock, console, ledger
from governance.ledger import SYSTEM, Kind
from governance.models import Action, Agent, AgentKey, Event, User
from notifications.models import Delivery
from policies.models import Version
from tests.approvals.factories import make_request
from tests.cast import AgentClient, make_user
from tests.pages import browser, permit, queries, root

EVENTS = "/admin/governance/event/"
ACTIONS = "/admin/governance/action/"
BACKWARDS = "\N{RIGHT-TO-LEFT OVERRIDE}"
RECORD = (Action, Event, Vote, ApprovalRequest, Version, AgentKey, Delivery)


@pytest.fixture
def boss(db: None) -> Client:
    return browser(root())


@pytest.fixture
def action(api: AgentClient, refund_rules: None, alice: User) -> Action:
    """A refund that Alice approved."""
    answer = api.submit(amount=75, context={"note": "x" * 5000 + "the end"})
    request = find(Action.objects.get(pk=answer["id"]).pk)
    assert request
    decide(request, alice, Vote.Verdict.APPROVE, digest=request.digest, comment="Fine.")
    return Action.objects.get()


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def listed(client: Client, query: str) -> list[str]:
    """Return the kinds of the events that the list shows."""
    answer = client.get(f"{EVENTS}?{query}")
    return [event.kind for event in answer.context["cl"].result_list]


def test_an_action_shows_all_of_itself_and_its_story(
    boss: Client, action: Action
) -> None:
    page = text(boss, f"{ACTIONS}{action.pk}/change/")

    assert "the end" in page
    assert action.digest in page
    assert f"{EVENTS}?q={action.pk}" in page
    for words in ("Submitted", "Stage opened", "Voted", "Approved"):
        assert words in page


def test_a_later_revision_leaves_the_lines_of_the_record_as_they_were(
    boss: Client, agent: Agent, refund: ApprovalRequest, alice: User
) -> None:
    decide(refund, alice, Vote.Verdict.REQUEST_CHANGES, digest=refund.digest)
    revise(refund.action_id, agent, {"params": {**refund.params, "customer_id": "C-8"}})
    before, after = "Refund 75 USD to customer C-7", "Refund 75 USD to customer C-8"
    of_each = Event.objects.about(refund.action).values_list("kind", flat=True)

    page = text(boss, f"{EVENTS}?q={refund.action_id}")
    firsts = list(of_each).index(Kind.REVISED)
    assert page.count(before) == firsts > 0
    assert page.count(after) == len(of_each) - firsts
    submitted = Event.objects.get(kind=Kind.SUBMITTED)
    assert before in text(boss, f"{EVENTS}{submitted.pk}/change/")


def test_an_event_that_kept_no_line_says_its_revision(
    boss: Client, action: Action
) -> None:
    former = json.loads(Event.objects.get(kind=Kind.SUBMITTED).body)
    del former["action"]["summary"]
    event = Event(action=action, body=json.dumps(former))

    assert event.subject == action.summary
    action.revision = 2
    assert event.subject == "refund.create, revision 1"


def test_an_event_shows_all_of_its_body(boss: Client, action: Action) -> None:
    event = Event.objects.get(kind=Kind.SUBMITTED)

    page = text(boss, f"{EVENTS}{event.pk}/change/")

    assert "the end" in page
    assert "trace" in page


def test_an_agents_words_stay_words(
    boss: Client, api: AgentClient, refund_rules: None
) -> None:
    api.submit(reason="<script>alert(1)</script>")

    for url in (EVENTS, f"{ACTIONS}{Action.objects.get().pk}/change/"):
        assert "<script>alert(1)" not in text(boss, url)


def test_the_log_is_searched_by_an_actions_id(boss: Client, action: Action) -> None:
    kinds = listed(boss, f"q={action.pk}")

    assert kinds[-1] == Kind.SUBMITTED
    assert Kind.LOGGED_IN not in kinds


def test_the_log_is_filtered(boss: Client, action: Action, alice: User) -> None:
    today = f"{clock.now():%Y-%m-%d}"

    assert listed(boss, "kind=voted") == ["voted"]
    assert listed(boss, f"who=person:{alice.pk}") == ["approved", "voted"]
    assert "voted" not in listed(boss, "who=agent")
    assert set(listed(boss, f"at_from={today}&at_to={today}")) >= {"voted"}
    assert listed(boss, "at_to=2020-01-01") == []
    assert listed(boss, f"agent__id__exact={action.agent_id}&kind=voted") == ["voted"]


def test_an_action_is_told_in_words(boss: Client, refund: ApprovalRequest) -> None:
    action = refund.action
    action.reasons[0] |= {"reason": "<b>Ask\u202e them."}
    action.reasons.append({"policy": None, "version": None, "decision": "BLOCK"})
    action.save(update_fields=["reasons"])

    page = text(boss, f"/admin/governance/action/{action.pk}/change/")

    assert "Require approval: &lt;b&gt;Ask" in page
    assert "\u202e" not in page
    assert "refunds-50-to-200 v1" in page
    assert "Block: It gives no reason." in page
    assert f"{action.risk}, medium" in page


@pytest.mark.parametrize("days", ["at_from=", "at_from=+&at_to="])
def test_what_is_left_empty_filters_nothing(boss: Client, days: str) -> None:
    assert listed(boss, days) == [Kind.LOGGED_IN]


def test_who_may_only_look_takes_nothing_away(db: None, charlie: User) -> None:
    permit(charlie, "governance.view_event")
    client = browser(charlie)

    assert "Download" not in text(client, EVENTS)
    assert client.post(f"{EVENTS}export/", {"format": "csv"}).status_code == 403
    assert not Event.objects.filter(kind=Kind.EXPORTED).exists()


def test_a_download_honours_the_filters_and_is_on_record(
    db: None, action: Action, charlie: User
) -> None:
    permit(charlie, "governance.view_event", "governance.export_event")

    answer = browser(charlie).post(f"{EVENTS}export/?kind=voted", {"format": "csv"})

    content = b"".join(answer).decode()
    [row] = csv.DictReader(io.StringIO(content, newline=""))
    assert (row["kind"], row["comment"]) == ("voted", "Fine.")
    assert answer["Content-Disposition"] == 'attachment; filename="audit-log.csv"'
    event = Event.objects.get(kind=Kind.EXPORTED)
    assert event.actor_name == "charlie"
    assert event.data == {"format": "csv", "filters": {"kind": "voted"}}


@pytest.mark.parametrize("query", ["anything=x", "kind=voted&anything=x"])
def test_what_filters_nothing_is_not_downloaded(boss: Client, query: str) -> None:
    answer = boss.post(f"{EVENTS}export/?{query}", {"format": "csv"}, follow=True)

    assert answer.redirect_chain[0] == (EVENTS, 302)
    assert "There is no such filter. Nothing was downloaded." in answer.content.decode()
    assert not Event.objects.filter(kind=Kind.EXPORTED).exists()


def test_a_download_needs_a_post(boss: Client) -> None:
    assert boss.get(f"{EVENTS}export/").status_code == 405


@pytest.mark.parametrize("url", [ACTIONS, EVENTS])
def test_strangers_see_nothing(db: None, charlie: User, url: str) -> None:
    assert browser(charlie).get(url).status_code == 403


@pytest.mark.parametrize("url", [ACTIONS, EVENTS])
def test_lists_cost_the_same_for_one_and_eleven(
    boss: Client, api: AgentClient, refund_rules: None, url: str
) -> None:
    api.submit()
    one = queries(boss, url)
    for number in range(10):
        api.submit(params={"customer_id": f"C-{number}"})

    assert len(queries(boss, url)) == len(one)


def test_nothing_counts_all_rows(
    boss: Client, api: AgentClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.InfinitePaginator, "most", 5)
    for _ in range(7):
        ledger.record(Kind.EXPORTED, at=clock.now(), actor=SYSTEM)

    counts = [q for q in queries(boss, EVENTS) if "COUNT(" in q]

    assert counts
    assert all("LIMIT 6" in query for query in counts if "governance_event" in query)
    assert len(listed(boss, "")) == Event.objects.count()


def doors() -> Iterator[tuple[Any, str]]:
    """Yield every address at which the console would change a row of the record."""
    for model in RECORD:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        if admin.site.is_registered(model):
            yield model, f"{name}_add"
            yield model, f"{name}_change"
            yield model, f"{name}_delete"
            yield model, f"{name}_changelist"


@pytest.mark.parametrize(("model", "door"), list(doors()))
def test_a_superuser_edits_nothing_on_the_record(
    boss: Client, action: Action, model: Any, door: str
) -> None:
    row = model.objects.first()
    arguments = [row.pk if row else 1] if door.endswith(("change", "delete")) else []
    before = list(model.objects.order_by("pk").values())
    fields = {field.name: "1" for field in model._meta.fields}
    attack = {
        **fields,
        "post": "yes",
        "_save": "Save",
        "action": "delete_selected",
        "_selected_action": str(row.pk) if row else "",
    }

    boss.post(reverse(door, args=arguments), attack)

    known = {item["id"] for item in before}
    after = model.objects.filter(pk__in=known).order_by("pk").values()
    assert list(after) == before
    if model is not Event:
        assert model.objects.count() == len(before)
    assert not Event.objects.filter(kind="1").exists()


def test_the_doors_are_those_of_the_record() -> None:
    tried = {model for model, _ in doors()}

    assert {Action, Event, ApprovalRequest} <= tried


def test_keys_have_no_page_of_their_own(agent: Agent) -> None:
    assert not admin.site.is_registered(AgentKey)
    assert not admin.site.is_registered(Vote)


def test_the_console_hides_the_libraries_own_pages() -> None:
    apps = {model._meta.app_label for model in admin.site._registry}

    assert apps <= {"governance", "policies", "approvals", "notifications", "auth"}


def test_people_without_rights_still_land_somewhere(db: None) -> None:
    assert "ask" in text(browser(make_user("newcomer")), "/admin/").lower()


@pytest.mark.django_db
def test_no_page_of_the_record_lets_text_run_backwards(
    refund_rules: None, agent: Agent, alice: User
) -> None:
    request = make_request(
        agent, reason=f"a{BACKWARDS}b", context={"note": BACKWARDS}, note=BACKWARDS
    )
    comment = f"c{BACKWARDS}d"
    approve = Vote.Verdict.APPROVE
    decide(request, alice, approve, digest=request.digest, comment=comment)
    action = request.action_id
    events = Event.objects.filter(action=action).values_list("pk", flat=True)
    addresses = [
        ACTIONS,
        f"{ACTIONS}{action}/change/",
        EVENTS,
        *(f"{EVENTS}{pk}/change/" for pk in events),
        reverse("admin:approvals_story", args=[action]),
    ]
    client = browser(root())

    pages = {url: client.get(url).content.decode() for url in addresses}
    assert [url for url, page in pages.items() if BACKWARDS in page] == []
    assert "U+202E" in pages[addresses[1]]
