"""How long somebody looked: the stamp in the form, and what becomes of it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.core import signing

from approvals import services
from approvals.console import stamps
from approvals.models import ApprovalRequest, Vote
from governance import clock
from governance.ledger import Kind
from governance.models import Agent, Event, User
from tests.approvals.factories import browser, form_for, make_request, page_of

pytestmark = pytest.mark.django_db


def stamp_on(person: User, request: ApprovalRequest) -> str:
    html = browser(person).get(page_of(request)).content.decode()
    found = re.search(r'name="shown" value="([^"]+)"', html)
    assert found
    return found[1]


def decided(person: User, request: ApprovalRequest, shown: str) -> Vote:
    browser(person).post(page_of(request), form_for(request, shown=shown))
    return Vote.objects.get(person=person)


def on_record(vote: Vote) -> str | None:
    event = Event.objects.get(kind=Kind.VOTED, action=vote.request.action_id)
    shown: str | None = event.data["shown_at"]
    return shown


def test_it_is_kept_when_the_page_was_shown(
    refund: ApprovalRequest, alice: User
) -> None:
    before = clock.now()
    stamp = stamp_on(alice, refund)
    with clock.shifted(timedelta(seconds=40)):
        vote = decided(alice, refund, stamp)

    assert vote.shown_at
    assert before <= vote.shown_at <= clock.now()
    assert vote.at - vote.shown_at >= timedelta(seconds=40)
    assert on_record(vote) == vote.shown_at.isoformat()


def test_a_mistake_on_the_way_does_not_set_it_back(
    refund: ApprovalRequest, alice: User
) -> None:
    stamp = stamp_on(alice, refund)
    form = form_for(refund, shown=stamp, confirmed="")
    html = browser(alice).post(page_of(refund), form).content.decode()
    found = re.search(r'name="shown" value="([^"]+)"', html)
    assert found

    first = stamps.read(stamp, refund, alice)
    assert first
    assert stamps.read(found[1], refund, alice) == first


@pytest.mark.parametrize(
    "forged",
    ["", "x", "WyJhIl0:1vNxyz:abc", "a" * 5000, signing.dumps(["x"], salt="other")],
    ids=["nothing", "text", "like one", "long", "of something else"],
)
def test_a_forged_stamp_is_none(
    refund: ApprovalRequest, alice: User, forged: str
) -> None:
    vote = decided(alice, refund, forged)

    assert (vote.shown_at, on_record(vote)) == (None, None)


@pytest.mark.parametrize("whose", ["person", "request", "digest", "shape"])
def test_the_stamp_of_something_else_is_none(
    refund: ApprovalRequest, agent: Agent, alice: User, bob: User, whose: str
) -> None:
    shown = stamps.Shown(clock.now(), 0)
    other = make_request(agent, 80, order_id="A-9")
    changed = ApprovalRequest(pk=refund.pk, digest=other.digest)
    foreign = {
        "person": stamps.stamp(refund, bob, shown),
        "request": stamps.stamp(other, alice, shown),
        "digest": stamps.stamp(changed, alice, shown),
        "shape": signing.dumps([], salt=stamps.SALT),
    }

    assert decided(alice, refund, foreign[whose]).shown_at is None


def test_other_ways_to_decide_leave_it_empty(
    refund: ApprovalRequest, alice: User
) -> None:
    services.decide(refund, alice, Vote.Verdict.APPROVE, digest=refund.digest)

    assert Vote.objects.get().shown_at is None


def test_a_stamp_says_what_it_was_made_of(refund: ApprovalRequest, alice: User) -> None:
    shown = stamps.Shown(datetime.fromisoformat("2026-11-26T10:00:00+00:00"), 7)

    assert stamps.read(stamps.stamp(refund, alice, shown), refund, alice) == shown
