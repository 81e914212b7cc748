"""The console's buttons and pages for who looks, who will later, and who stands in."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localtime

from approvals import services
from approvals.models import ApprovalRequest, Delegation
from governance import clock
from governance.models import Agent, Event, User
from tests.approvals.factories import QUEUE, browser, make_request, page_of
from tests.approvals.test_attention import manager_stage
from tests.approvals.test_console_queue import shown, text_of
from tests.approvals.test_deciding import ask
from tests.cast import make_user
from tests.pages import permit

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
PAGE = "/admin/approvals/delegation/"


@pytest.fixture
def legal(db: None) -> Group:
    return Group.objects.create(name="legal")


@pytest.fixture
def asked(agent: Agent, managers: Group, finance: Group, legal: Group) -> Any:
    make_user("lea", legal)
    return ask(agent, manager_stage())


def press(person: User, request: ApprovalRequest, verb: str, **fields: str) -> str:
    """Press a button, and return what the page after it says."""
    answer = browser(person).post(f"{QUEUE}{request.pk}/{verb}/", fields, follow=True)
    assert answer.status_code == 200
    return plain(answer.content.decode())


def page(person: User, request: ApprovalRequest) -> str:
    return plain(browser(person).get(page_of(request)).content.decode())


def plain(html: str) -> str:
    return re.sub(r"</?(b|bdi)\b[^>]*>", "", html)


def hand_over(who: User, to: str, **fields: str) -> Any:
    end = localtime(clock.now() + 24 * HOUR)
    form = {"to": to, "ends_at": f"{end:%Y-%m-%dT%H:%M}", **fields}
    return browser(who).post(PAGE, form, follow=True)


# The review page


def test_the_others_see_who_is_looking(
    asked: ApprovalRequest, alice: User, bob: User
) -> None:
    assert "I am looking at it" in page(alice, asked)
    press(alice, asked, "claim")

    assert "alice is looking at it" in text_of(bob)
    assert "alice is looking at it" in page(bob, asked)
    assert "I am no longer looking at it" in page(alice, asked)
    press(alice, asked, "unclaim")
    assert "alice is looking at it" not in text_of(bob)


def test_what_is_put_off_has_a_tab_of_its_own(
    asked: ApprovalRequest, alice: User, bob: User
) -> None:
    assert "Snoozed" not in text_of(alice)
    until = (clock.now() + HOUR).isoformat()
    assert "Out of your queue until" in press(alice, asked, "snooze", until=until)

    assert shown(alice) == shown(alice, show="waiting") == []
    assert shown(alice, show="snoozed") == shown(bob) == [asked]
    assert "Snoozed" in text_of(alice)
    assert "Put it back" in page(alice, asked)
    press(alice, asked, "wake")
    assert shown(alice) == [asked]


def test_it_offers_no_time_after_silence_decides(
    asked: ApprovalRequest, alice: User
) -> None:
    offered = page(alice, asked)

    assert "For an hour" in offered
    assert "Until Monday" not in offered


@pytest.mark.parametrize("until", ["", "nonsense", "2030-01-01", "\x00"])
def test_a_time_that_makes_no_sense_changes_nothing(
    asked: ApprovalRequest, alice: User, until: str
) -> None:
    said = press(alice, asked, "snooze", until=until)

    assert "Choose a time that lies ahead." in said
    assert shown(alice) == [asked]


def test_it_is_passed_on_with_a_word(asked: ApprovalRequest, alice: User) -> None:
    assert "It belongs to somebody else" in page(alice, asked)
    stage = asked.stages.get()
    to, why = f"{stage.pk}:legal", "A <b>contract</b>."
    assert "Passed on to legal" in press(alice, asked, "reassign", to=to, reason=why)

    assert shown(User.objects.get(username="lea")) == [asked]
    told = page(alice, asked)
    assert "alice passed Manager on to legal" in told
    assert "&lt;b&gt;contract" in told
    assert "Not yours? Not now?" not in told


@pytest.mark.parametrize(
    "to",
    ["", ":legal", "x:legal", "²:legal", "999:legal", "ID:friends", f"{'9' * 5000}:x"],
)
def test_a_place_that_makes_no_sense_changes_nothing(
    asked: ApprovalRequest, alice: User, to: str
) -> None:
    stage = asked.stages.get()
    press(alice, asked, "reassign", to=to.replace("ID", str(stage.pk)), reason="No.")

    assert shown(alice) == [asked]
    assert not Event.objects.filter(kind="reassigned").exists()


@pytest.mark.parametrize("verb", ["claim", "unclaim", "snooze", "wake", "reassign"])
def test_looking_at_an_address_does_nothing(
    asked: ApprovalRequest, alice: User, charlie: User, verb: str
) -> None:
    path = f"{QUEUE}{asked.pk}/{verb}/"

    assert browser(alice).get(path).status_code == 405
    assert browser(charlie).post(path).status_code == 403


def test_what_one_may_not_see_is_not_there(
    asked: ApprovalRequest, refund_rules: None, carol: User
) -> None:
    asked.asked.remove(*carol.groups.all())

    assert browser(carol).post(f"{QUEUE}{asked.pk}/claim/").status_code == 404


# Stand-ins


def test_anybody_hands_over_their_own_queue_from_the_page(
    refund: ApprovalRequest, alice: User, charlie: User
) -> None:
    answer = hand_over(alice, "charlie", reason="Holidays.")
    assert "charlie decides in place of you." in answer.content.decode()

    assert shown(charlie) == [refund]
    assert "for alice" in text_of(charlie)
    assert "You stand in for alice until" in text_of(charlie)
    assert "Your decision, for alice" in page(charlie, refund)
    assert shown(alice) == []
    assert shown(alice, show="waiting") == [refund]
    assert "Your queue is with charlie until" in text_of(alice)
    assert "charlie for alice" in page(alice, refund)


def test_it_is_taken_back_from_the_queue(
    refund: ApprovalRequest, alice: User, charlie: User
) -> None:
    hand_over(alice, "charlie")
    made = Delegation.objects.get()
    path = f"{PAGE}{made.pk}/end/"

    assert browser(alice).get(path).status_code == 405
    answer = browser(alice).post(path, {"next": "queue"}, follow=True)
    assert "charlie no longer decides in place of alice." in answer.content.decode()
    assert shown(alice) == [refund]
    assert "Earlier" in browser(charlie).get(PAGE).content.decode()


def test_for_others_it_takes_a_permission(
    refund: ApprovalRequest, alice: User, bob: User, charlie: User
) -> None:
    assert "Whose queue" not in browser(alice).get(PAGE).content.decode()
    answer = hand_over(alice, "charlie", person="bob")
    assert "You can hand over your own queue only." in answer.content.decode()

    permit(alice, "approvals.delegate_for_others")
    assert "Whose queue" in browser(alice).get(PAGE).content.decode()
    hand_over(alice, "charlie", person="bob")
    assert Delegation.objects.get().created_by == alice


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"to": "nobody"}, "Choose who stands in"),
        ({"to": "alice"}, "Choose somebody else."),
        ({"ends_at": ""}, "at which it ends"),
        ({"ends_at": "2001-01-01T10:00"}, "It has to end after it begins."),
        ({"starts_at": "soon"}, "at which it begins"),
        ({"person": "nobody"}, "whose queue it is"),
    ],
)
def test_what_makes_no_sense_is_said_and_kept(
    refund: ApprovalRequest,
    alice: User,
    charlie: User,
    fields: dict[str, str],
    why: str,
) -> None:
    form = {"reason": "Kept.", **fields}
    answer = hand_over(alice, form.pop("to", "charlie"), **form)

    assert answer.status_code in (422, 409, 403)
    assert why in answer.content.decode()
    assert 'value="Kept."' in answer.content.decode()
    assert not Delegation.objects.exists()


def test_only_those_it_concerns_see_it(
    refund: ApprovalRequest, alice: User, bob: User, charlie: User
) -> None:
    hand_over(alice, "charlie")
    made = Delegation.objects.get()

    assert "for alice" not in plain(browser(bob).get(PAGE).content.decode())
    assert browser(bob).post(f"{PAGE}{made.pk}/end/").status_code == 404
    assert browser(make_user("zoe")).get(PAGE).status_code == 403


def test_a_stand_in_costs_as_many_queries_for_six_as_for_one(
    refund: ApprovalRequest, agent: Agent, alice: User, charlie: User
) -> None:
    services.delegate(alice, charlie, ends_at=clock.now() + HOUR)
    visitor = browser(charlie)
    visitor.get(QUEUE)
    with CaptureQueriesContext(connection) as one:
        visitor.get(QUEUE)
    for number in range(5):
        make_request(agent, customer_id=f"N-{number}")
    with CaptureQueriesContext(connection) as six:
        answer = visitor.get(QUEUE)

    assert [row.mark.for_whom for row in answer.context["cl"].rows] == ["alice"] * 6
    assert len(one) == len(six)
