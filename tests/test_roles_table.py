"""Who may open what, and do what there? Every page, every role, as docs/roles.md says.

A page that the table does not list fails the test.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.messages import ERROR, get_messages
from django.db import connection, transaction
from django.template.response import SimpleTemplateResponse
from django.test import Client

from approvals.models import ApprovalRequest, SavedView
from governance import clock
from governance.models import Agent, User
from tests.approvals.factories import browser, form_for
from tests.cast import make_user
from tests.everything import WHY, Page, make_everything, pages, waiting
from tests.pages import root
from tests.test_architecture import ROOT

pytestmark = pytest.mark.django_db
TABLE = ROOT / "docs" / "roles.md"
NOTHING, SEE, DO = "-", "see", "do"
REFUSED = {403, 404, 405}
# What looking may write: that somebody looked, and that something was refused.
ON_RECORD = {"governance_event", "governance_pendingevent", "approvals_look"}
# What is sent where an empty form would not show who may send it.
SENT: dict[str, dict[str, Any]] = {
    "approvals_approvalrequest_rejudge": {"confirmed": "1"},
    "approvals_approvalrequest_rejudge_all": {"confirmed": "1"},
    "approvals_breakglass_changelist": {"pattern": "mail.*", "reason": WHY}
    | {"minutes": "15"},
    "approvals_bypassreview_change": {"verdict": "justified", "comment": WHY},
    "approvals_presetreason_delete": {"post": "yes"},
    "approvals_approvalrequest_view": {"delete": "1"},
    "approvals_approvalrequest_views": {"name": "Small", "query": ""},
    "auth_group_delete": {"post": "yes"},
    "governance_event_export": {"format": "csv"},
    "governance_freeze_changelist": {"pattern": "pay.*", "reason": WHY},
    "governance_freeze_thaw": {"reason": WHY},
    "notifications_phrase_delete": {"post": "yes"},
    "notifications_place_delete": {"post": "yes"},
    "notifications_rota_delete": {"post": "yes"},
    "notifications_rule_delete": {"post": "yes"},
    "notifications_preference_mine": {"time_zone": "UTC", "digest_minutes": "0"}
    | {"urgent_from": "75"},
    "notifications_webhook_replay_failed": {"since": "24"},
    "notifications_webhook_switch": {"reason": WHY},
    "policies_backtest_changelist": {"start": "1", "backtest-days": "7"}
    | {"backtest-amount": "params.amount"},
    "policies_proposedchange_change": {"verdict": "decline"},
}
# What whoever is logged in finds anywhere, and what ends that.
DOORS = {"login", "logout"}


def table() -> tuple[list[str], dict[str, dict[str, str]]]:
    """Return the roles of the table, and what each may on each page."""
    lines = [line for line in TABLE.read_text().splitlines() if line[:3] == "| `"]
    head = next(x for x in TABLE.read_text().splitlines() if x[:9] == "| address")
    roles = [cell.strip() for cell in head.strip("|").split("|")][2:]
    rights = {}
    for line in lines:
        addresses, _, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        for address in re.findall("`(.*?)`", addresses):
            for name in expanded(address):
                rights[name] = dict(zip(roles, cells, strict=True))
    return roles, rights


def expanded(address: str) -> Iterator[str]:
    """Yield what ``a_{b,c}_{d,e}`` stands for."""
    parts = re.split(r"\{(.*?)\}", address)
    for chosen in product(*(part.split(",") for part in parts)):
        yield "".join(chosen)


ROLES, RIGHTS = table()


@pytest.fixture
def everything(refund_rules: None, agent: Agent, alice: User, bob: User) -> None:
    logging.disable()
    make_everything(agent, alice, bob)


@pytest.fixture(autouse=True)
def _loud_again() -> Iterator[None]:
    yield
    logging.disable(logging.NOTSET)


def test_every_page_is_in_the_table_and_nothing_else() -> None:
    assert {page.name for page in pages()} - DOORS == set(RIGHTS)


def someone(role: str, managers: Group) -> User:
    """Return a person of a role; the approver is also asked by a flow."""
    groups = [Group.objects.get(name=f"Role: {role}")] if role != "nobody" else []
    if role == "approver":
        groups.append(managers)
    user = make_user("someone", *groups)
    SavedView.objects.update(person=user)
    return user


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_what_the_table_says(
    everything: None, managers: Group, role: str
) -> None:
    client = browser(someone(role, managers))
    wrong = []
    for page in pages():
        if page.name not in DOORS:
            said, found = (
                RIGHTS.get(page.name, {}).get(role),
                Visited(client, page).right(),
            )
            if found != said:
                wrong.append(f"{page.name}: {said}, is {found}")

    assert not wrong, "\n".join(wrong)


def test_nobody_opens_anything_without_logging_in(everything: None) -> None:
    client = Client()
    for page in pages():
        if page.name in DOORS:
            continue
        for visit in (client.get, client.post):
            answer = visit(page.url(), follow=True)
            is_door = answer.request["PATH_INFO"] == "/admin/login/"
            assert is_door or answer.status_code in REFUSED, page


def test_nothing_is_completed_for_those_who_guess(refund_rules: None) -> None:
    asked = {"app_label": "policies", "model_name": "policy", "field_name": "flow"}
    client = browser(make_user("boss", is_superuser=True))
    assert client.get("/admin/autocomplete/", asked).status_code in REFUSED


class Visited:
    """One page, looked at and posted to by one person. Nothing of it stays."""

    def __init__(self, client: Client, page: Page) -> None:
        self.client, self.page, self.url = client, page, page.url()

    def right(self) -> str:
        seen, done = self._sees(), self._does()
        return DO if done else SEE if seen else NOTHING

    def _sees(self) -> bool:
        """Whether it shows something; that it is not there sends people home."""
        with tried() as written:
            answer = self.client.get(self.url, follow=True)
            drain(answer)
        assert not written, (self.page, written)
        assert answer.status_code < 500
        at_home = answer.redirect_chain and answer.request["PATH_INFO"] == "/admin/"
        return answer.status_code not in REFUSED and not at_home

    def _does(self) -> bool:
        # What was said on other pages is not about this one.
        self.client.cookies.pop("messages", None)
        with tried() as written, unrendered():
            answer = self.client.post(self.url, sent(self.page))
            drain(answer)
        assert answer.status_code < 500
        assert not (answer.status_code in REFUSED and written), (self.page, written)
        return answer.status_code not in REFUSED and self._changes(answer, written)

    def _changes(self, answer: Any, written: set[str]) -> bool:
        """Whether the form got through to where it would change something."""
        is_form = self.page.name.rpartition("_")[2] in FORMS
        said_no = any(said.level >= ERROR for said in get_messages(answer.wsgi_request))
        if said_no and self.page.name not in ANSWERED:
            return bool(written)
        let_in = answer.status_code in (200, 302) and self.page.name not in LEADING
        return bool(written) or (let_in and (is_form or self.page.name in ANSWERED))


def sent(page: Page) -> dict[str, Any]:
    """Return what shows best whether this page may be posted to."""
    asked, at = waiting(), clock.now()
    match page.name.removeprefix("approvals_"):
        case "approvalrequest_change":
            return form_for(asked)
        case "approvalrequest_snooze":
            return {"until": (at + timedelta(minutes=5)).isoformat()}
        case "approvalrequest_reassign":
            stage = asked.stages.get(name="Manager")
            return {"to": f"{stage.pk}:finance", "reason": WHY}
        case "approvalrequest_bulk":
            digest = {f"digest-{asked.pk}": asked.digest}
            said = {"verdict": "reject", "comment": WHY}
            return {"pick": [str(asked.pk)], **said, **digest}
        case "delegation_changelist":
            return {"to": "bob", "ends_at": f"{at + timedelta(days=1):%Y-%m-%dT%H:%M}"}
    return SENT.get(page.name, {})


# Pages whose form is checked only once it is known that its sender may.
FORMS = {
    *("add", "change", "remove", "restore", "retire", "suspend", "resume", "key"),
    *("read", "unclaim", "look", "all", "condition"),
}
# Nothing to judge again here: that it is said, and not refused, is enough.
ANSWERED = {"approvals_approvalrequest_rejudge", "notifications_phrase_preview"}
# They show the same, whatever is sent.
LEADING = {"approvals_delegation_change", "policies_backtest_change"}


@contextmanager
def tried() -> Iterator[set[str]]:
    """Collect the tables that are written to, and take it all back."""
    written: set[str] = set()

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        found = re.match(r'(?:INSERT INTO|UPDATE|DELETE FROM) "(\w+)"', sql)
        if found and found[1] not in ON_RECORD | {"django_session"}:
            written.add(found[1])
        return execute(sql, *rest)

    mark = transaction.savepoint()
    with connection.execute_wrapper(watch):
        yield written
    transaction.savepoint_rollback(mark)


@contextmanager
def unrendered() -> Iterator[None]:
    """Leave out drawing the page that answers a form."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimpleTemplateResponse, "rendered_content", "")
        yield


def drain(answer: Any) -> None:
    if answer.streaming:
        list(answer.streaming_content)


# Addresses that somebody made up

ODD = ["abc", "0", "9" * 30, "\0", "01939c9e-0000-7000-8000-000000000000"]


def test_an_odd_address_is_answered(everything: None) -> None:
    client = browser(root())
    wrong = []
    for page, odd in product(pages(), ODD):
        for url in page.amiss(odd):
            for answer in (client.get(url), client.post(url)):
                if answer.status_code >= 500:
                    wrong.append(f"{url} {answer.exc_info}")  # type: ignore[attr-defined]

    assert not wrong, "\n".join(wrong)


def test_there_is_something_to_decide(everything: None) -> None:
    assert ApprovalRequest.objects.filter(closed_at=None).count() == 2
