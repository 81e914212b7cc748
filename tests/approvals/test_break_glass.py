"""Broken glass: what goes ahead without approval, by whom, and what comes after."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event as Signal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection
from django.test import Client

from approvals import judgement, services, stops
from approvals.errors import Changed, NotAllowed, NotOpen
from approvals.models import ApprovalRequest, BreakGlass, BypassReview, Stage, Vote
from approvals.services.bypasses import AlreadyReviewed
from approvals.services.glass import GlassIsWhole, MayNotBreakGlass
from governance import clock, freezes
from governance import services as governance
from governance.errors import Invalid, Refused
from governance.keys import Suspended
from governance.ledger import Kind
from governance.models import Action, Agent, Event, Freeze, User
from notifications.jobs import publish_events, send_due
from notifications.models import Delivery
from policies import services as rules
from policies.bodies import Subject
from tests.approvals.factories import browser, make_request, page_of
from tests.cast import AgentClient, make_user
from tests.pages import permit, queries, root

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]
WHY = "The queue is down and a hospital waits for its refund."
HOUR = timedelta(hours=1)
JUSTIFIED = BypassReview.Verdict.JUSTIFIED
GLASS, REVIEWS = "/admin/approvals/breakglass/", "/admin/approvals/bypassreview/"


@pytest.fixture
def dora(db: None) -> User:
    """May break the glass, and is asked about nothing."""
    dora = make_user("dora")
    permit(dora, "approvals.break_glass", "approvals.view_all_approvalrequest")
    return dora


def broken(person: User, pattern: str = "refund.*", **fields: Any) -> BreakGlass:
    options = {"reason": WHY, "for_": HOUR, **fields}
    return services.break_glass(person, pattern=pattern, **options)


def consume(action: Action) -> None:
    services.consume(action.pk, action.agent, action.digest)


def ran(agent: Agent) -> BypassReview:
    """Run something under the broken glass, and return the review it asks for."""
    consume(make_request(agent).action)
    return BypassReview.objects.get()


# Breaking it


def test_it_is_on_record_who_broke_it_and_why(dora: User, agent: Agent) -> None:
    glass = broken(dora, agent=agent)

    assert glass.ends_at - glass.started_at == HOUR
    event = Event.objects.get(kind=Kind.GLASS_BROKEN)
    assert (event.actor_name, event.data["reason"]) == ("dora", WHY)
    assert event.data["only_agent"] == "refund-bot"


def test_a_superuser_has_no_right_by_that(alice: User) -> None:
    with pytest.raises(MayNotBreakGlass):
        broken(root())
    with pytest.raises(MayNotBreakGlass):
        broken(alice)
    assert not BreakGlass.objects.exists()


def test_the_right_may_come_from_a_group(dora: User, managers: Group) -> None:
    eve = make_user("eve", managers)
    managers.permissions.set(dora.user_permissions.all())

    assert broken(eve).person == eve


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": "Too short."},
        {"reason": f"{'x' * 10}{' ' * 20}"},
        {"reason": "x" * 501},
        {"for_": timedelta(0)},
        {"for_": timedelta(hours=4, seconds=1)},
        {"pattern": "re*"},
    ],
)
def test_it_takes_a_reason_a_scope_and_a_short_time(
    dora: User, wrong: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        broken(dora, **wrong)
    assert not Event.objects.filter(kind=Kind.GLASS_BROKEN).exists()


def test_nobody_breaks_it_for_their_own_agent(dora: User, agent: Agent) -> None:
    governance.edit_agent(agent, owner=dora)
    with pytest.raises(MayNotBreakGlass):
        broken(dora, agent=agent)

    broken(dora, "*")
    assert make_request(agent).action.status == "pending"


# What goes through


def test_what_needs_approval_goes_through_at_once(dora: User, api: AgentClient) -> None:
    glass = broken(dora)
    answer = api.submit(75)

    assert (answer["decision"], answer["status"]) == ("REQUIRE_APPROVAL", "approved")
    approval = answer["approval"]
    assert [stage["status"] for stage in approval["stages"]] == ["closed"]
    assert approval["stages"][0]["approved"] == 0
    (decision,) = approval["decisions"]
    assert decision["by"] == "dora (break-glass)"
    assert (decision["verdict"], decision["via"]) == ("approve", "break_glass")
    assert decision["comment"] == WHY
    request = ApprovalRequest.objects.get()
    assert request.broken_glass == glass
    assert not request.stages.exclude(state=Stage.State.CLOSED).exists()


def test_nobody_counts_as_having_approved(dora: User, agent: Agent) -> None:
    broken(dora)
    request = make_request(agent)

    vote = Vote.objects.get()
    assert (vote.person, vote.seat) == (None, None)
    kinds = set(Event.objects.about(request.action).values_list("kind", flat=True))
    assert {Kind.STAGE_OPENED, Kind.BYPASSED} <= kinds
    assert not kinds & {Kind.APPROVED, Kind.VOTED}


def test_high_risk_makes_no_difference(dora: User, agent: Agent) -> None:
    broken(dora)

    assert make_request(agent, 900).action.status == "approved"


@pytest.mark.parametrize("pattern", ["db.*", "refund", "refund.create.fast"])
def test_what_it_does_not_cover_waits(dora: User, agent: Agent, pattern: str) -> None:
    broken(dora, pattern)

    assert make_request(agent).action.status == "pending"


def test_other_agents_wait(dora: User, agent: Agent) -> None:
    broken(dora, agent=governance.create_agent("other-bot"))

    assert make_request(agent).action.status == "pending"


def test_what_is_stopped_stays_stopped(dora: User, api: AgentClient) -> None:
    body = {"name": "none", "actions": ["refund.*"], "decision": "BLOCK"}
    broken(dora, "*")
    freezes.freeze("refund.*", reason="Refunds are paid twice.")
    assert api.submit(75)["code"] == "frozen"

    freezes.thaw(Freeze.objects.get(), reason="Mended.")
    rules.save(Subject.POLICY, body)
    assert api.submit(75)["status"] == "blocked"

    governance.suspend(Agent.objects.get())
    assert api.submit(75)["code"] == "agent_suspended"


def test_blocked_by_now_is_not_spent(dora: User, api: AgentClient) -> None:
    broken(dora)
    action = api.submit(75)
    body = {"name": "none", "actions": ["refund.*"], "decision": "BLOCK"}
    rules.save(Subject.POLICY, body)

    spend = {"digest": action["digest"]}
    answer = api.post(f"/actions/{action['id']}/consume", spend)
    assert answer.json()["code"] == "blocked_now"
    assert not BypassReview.objects.exists()


# When it is over


def test_when_its_time_is_over_people_are_asked_again(dora: User, agent: Agent) -> None:
    broken(dora)
    with clock.shifted(HOUR):
        assert make_request(agent).action.status == "pending"


def test_mended_it_lets_nothing_through(dora: User, agent: Agent) -> None:
    glass = broken(dora)
    services.mend_glass(glass, dora)

    assert make_request(agent).action.status == "pending"
    assert Event.objects.get(kind=Kind.GLASS_MENDED).actor_name == "dora"
    with pytest.raises(GlassIsWhole):
        services.mend_glass(glass, dora)


def test_it_takes_a_right_to_mend(dora: User, alice: User, carol: User) -> None:
    glass = broken(dora)
    with pytest.raises(MayNotBreakGlass):
        services.mend_glass(glass, alice)

    permit(carol, "governance.freeze_actions")
    services.mend_glass(glass, User.objects.get(pk=carol.pk))
    glass.refresh_from_db()
    assert glass.ended_by == carol


@pytest.mark.parametrize("loss", ["permission", "account"])
def test_who_loses_the_right_lets_nothing_more_through(
    dora: User, agent: Agent, loss: str
) -> None:
    broken(dora)
    if loss == "permission":
        dora.user_permissions.clear()
    else:
        User.objects.filter(pk=dora.pk).update(is_active=False)

    assert make_request(agent).action.status == "pending"


# What was waiting already


def test_it_is_let_through_one_by_one(dora: User, agent: Agent) -> None:
    waiting = make_request(agent)
    broken(dora)
    assert Action.objects.get().status == "pending"
    services.release(waiting, dora, digest=waiting.digest)

    assert Action.objects.get().status == "approved"
    assert Vote.objects.get().by == "dora (break-glass)"
    assert Event.objects.get(kind=Kind.BYPASSED).actor_name == "dora"


def test_only_by_whoever_broke_the_glass(dora: User, agent: Agent) -> None:
    waiting, eve = make_request(agent), make_user("eve")
    permit(eve, "approvals.break_glass")
    broken(dora)

    with pytest.raises(NotAllowed):
        services.release(waiting, eve, digest=waiting.digest)
    refusal = Event.objects.get(kind=Kind.DECISION_REFUSED)
    assert (refusal.actor_name, refusal.data["via"]) == ("eve", "break_glass")
    assert Action.objects.get().status == "pending"


def test_only_what_they_saw_and_what_still_waits(dora: User, agent: Agent) -> None:
    waiting = make_request(agent)
    broken(dora)
    with pytest.raises(Changed):
        services.release(waiting, dora, digest="sha256:other")
    services.cancel(waiting.action_id, agent)
    with pytest.raises(NotOpen):
        services.release(waiting, dora, digest=waiting.digest)


@pytest.mark.parametrize("stop", ["frozen", "agent_suspended", "mended", "over"])
def test_nothing_that_is_stopped_is_let_through(
    dora: User, agent: Agent, stop: str
) -> None:
    waiting, glass = make_request(agent), broken(dora)
    over = timedelta(0)
    match stop:
        case "frozen":
            freezes.freeze("*", reason="Stop.")
        case "agent_suspended":
            governance.suspend(agent)
        case "mended":
            services.mend_glass(glass)
        case _:
            over = HOUR

    with clock.shifted(over), pytest.raises((stops.Frozen, Suspended, NotAllowed)):
        services.release(waiting, dora, digest=waiting.digest)
    assert Action.objects.get().status == "pending"


# Afterwards


def test_what_ran_asks_for_a_review(dora: User, agent: Agent) -> None:
    broken(dora)
    unused = make_request(agent, customer_id="C-8")
    review = ran(agent)

    assert review.request.broken_glass is not None
    assert review.request != unused
    assert review.verdict == ""


def test_what_was_approved_by_people_asks_for_none(agent: Agent, alice: User) -> None:
    request = make_request(agent)
    services.decide(request, alice, Vote.Verdict.APPROVE, digest=request.digest)
    consume(Action.objects.get())

    assert not BypassReview.objects.exists()


def test_somebody_who_would_have_been_asked_reviews_it(
    dora: User, agent: Agent, alice: User
) -> None:
    broken(dora)
    review = ran(agent)
    services.review_bypass(review, alice, JUSTIFIED, " Nobody was there. ")

    review.refresh_from_db()
    assert (review.reviewed_by, review.comment) == (alice, "Nobody was there.")
    event = Event.objects.get(kind=Kind.BYPASS_REVIEWED)
    assert (event.actor_name, event.data["verdict"]) == ("alice", "justified")


def test_others_do_not_review_it(
    dora: User, agent: Agent, alice: User, bob: User, managers: Group
) -> None:
    broken(dora)
    review = ran(agent)
    dora.groups.add(managers)
    governance.edit_agent(agent, owner=bob)

    for person in (dora, bob, make_user("eve"), root()):
        with pytest.raises(NotAllowed):
            services.review_bypass(review, person, JUSTIFIED, "It was fine.")
    with pytest.raises(Invalid):
        services.review_bypass(review, alice, JUSTIFIED, "  ")
    assert not Event.objects.filter(kind=Kind.BYPASS_REVIEWED).exists()


def test_it_is_reviewed_once(dora: User, agent: Agent, alice: User, bob: User) -> None:
    broken(dora)
    review = ran(agent)
    services.review_bypass(review, alice, JUSTIFIED, "Nobody was there.")

    with pytest.raises(AlreadyReviewed):
        services.review_bypass(review, bob, BypassReview.Verdict.UNJUSTIFIED, "I was.")
    review.refresh_from_db()
    assert review.verdict == "justified"


# Who hears of it


def told(kind: Kind) -> list[tuple[str, str]]:
    rows = Delivery.objects.filter(event__kind=kind)
    return sorted(rows.values_list("person__username", "channel"))


def test_everybody_who_decides_hears_of_it_at_once(
    dora: User, alice: User, carol: User, charlie: User
) -> None:
    root()
    broken(dora)
    publish_events()
    send_due()

    people = ["alice", "carol", "dora", "root"]
    assert told(Kind.GLASS_BROKEN) == [
        (name, channel) for name in people for channel in ("email", "in_app")
    ]
    message = next(m for m in mail.outbox if m.to == ["alice@example.com"])
    assert "dora" in message.subject
    assert WHY in message.body
    page = browser(alice).get("/admin/notifications/delivery/mine/").content.decode()
    assert "Glass broken by dora" in page
    assert WHY in page


def test_nobody_is_asked_about_what_went_ahead(
    dora: User, agent: Agent, alice: User
) -> None:
    broken(dora)
    make_request(agent)
    publish_events()

    assert told(Kind.STAGE_OPENED) == []
    assert told(Kind.BYPASSED) == [("alice", "in_app"), ("dora", "in_app")]
    assert not Event.objects.filter(kind=Kind.UNREACHABLE).exists()


def test_stop_buttons_are_told_as_well(alice: User) -> None:
    frozen = freezes.freeze("*", reason="Refunds are paid twice.")
    freezes.thaw(frozen, reason="Mended.")
    publish_events()

    assert told(Kind.FROZEN) == [("alice", "email"), ("alice", "in_app")]
    assert told(Kind.THAWED) == [("alice", "in_app")]
    assert browser(alice).get("/admin/notifications/delivery/mine/").status_code == 200


# The pages


def test_the_page_breaks_and_mends(dora: User, agent: Agent) -> None:
    client = browser(dora)
    said = {"pattern": "refund.*", "reason": WHY, "minutes": "15", "agent": agent.pk}
    assert client.post(GLASS, said).status_code == 302
    glass = BreakGlass.objects.get()
    assert (glass.person, glass.agent) == (dora, agent)
    assert "alarm-glass" in client.get("/admin/").content.decode()

    assert client.get(f"{GLASS}{glass.pk}/mend/").status_code == 302
    assert BreakGlass.objects.active(clock.now()).exists()
    client.post(f"{GLASS}{glass.pk}/mend/")
    assert not BreakGlass.objects.active(clock.now()).exists()
    assert "alarm-glass" not in client.get("/admin/").content.decode()


@pytest.mark.parametrize("wrong", [{"reason": "No."}, {"minutes": "x"}, {"agent": "0"}])
def test_the_page_says_what_is_missing(dora: User, wrong: dict[str, str]) -> None:
    said = {"pattern": "refund.*", "reason": WHY, "minutes": "15", "agent": "", **wrong}

    assert browser(dora).post(GLASS, said).status_code == 422
    assert not BreakGlass.objects.exists()


def test_others_find_no_form(alice: User, charlie: User) -> None:
    said = {"pattern": "refund.*", "reason": WHY, "minutes": "15", "agent": ""}
    assert "Being an administrator is not enough" in (
        browser(alice).get(GLASS).content.decode()
    )
    assert browser(alice).post(GLASS, said).status_code == 403
    assert browser(charlie).get(GLASS).status_code == 403
    assert not BreakGlass.objects.exists()


def test_the_review_page_offers_it_to_whoever_broke_the_glass(
    dora: User, agent: Agent, alice: User
) -> None:
    waiting = make_request(agent)
    broken(dora)
    button = "Let it through without approval"
    assert button in browser(dora).get(page_of(waiting)).content.decode()
    assert button not in browser(alice).get(page_of(waiting)).content.decode()

    let_go = f"{GLASS}release/{waiting.pk}/"
    browser(dora).get(let_go)
    assert Action.objects.get().status == "pending"
    browser(dora).post(let_go, {"digest": waiting.digest})
    assert Action.objects.get().status == "approved"
    page = browser(alice).get(page_of(waiting)).content.decode()
    assert "let it through with broken glass" in page


def test_reviews_are_listed_and_given(dora: User, agent: Agent, alice: User) -> None:
    broken(dora)
    review, client = ran(agent), browser(alice)
    assert "To review after break-glass" in client.get("/admin/").content.decode()
    assert "To review" in client.get(REVIEWS).content.decode()

    page = f"{REVIEWS}{review.pk}/change/"
    assert WHY in client.get(page).content.decode()
    assert client.post(page, {"verdict": "justified"}).status_code == 422
    assert client.post(page, {"comment": "Fine."}).status_code == 422
    client.post(page, {"verdict": "unjustified", "comment": "I was there."})
    review.refresh_from_db()
    assert review.verdict == "unjustified"
    assert client.get(page).status_code == 200
    assert "To review after break-glass" not in client.get("/admin/").content.decode()


def test_what_is_not_reviewed_is_counted(dora: User, agent: Agent) -> None:
    broken(dora)
    ran(agent)

    counted = Client().get("/metrics").content.decode()
    assert "countersign_bypass_reviews_open 1.0" in counted


def test_who_may_not_review_sees_why(dora: User, agent: Agent, charlie: User) -> None:
    broken(dora)
    page = f"{REVIEWS}{ran(agent).pk}/change/"

    assert "You broke the glass" in browser(dora).get(page).content.decode()
    assert browser(charlie).get(page).status_code == 403


def test_the_list_costs_the_same_for_many(
    dora: User, agent: Agent, alice: User
) -> None:
    broken(dora)
    ran(agent)
    few = len(queries(browser(alice), REVIEWS))
    for number in range(5):
        consume(make_request(agent, customer_id=f"C-{number}").action)

    assert len(queries(browser(alice), REVIEWS)) == few


# Two at once


@pytest.mark.django_db(transaction=True)
def test_nothing_goes_through_after_mending_has_returned(
    dora: User, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    glass = broken(dora)
    letting, mended = Signal(), Signal()
    open_glass = stops.open_glass

    def slowly(*args: Any) -> Any:
        found = open_glass(*args)
        letting.set()
        # It was broken a moment ago. Is it safe to rely on that until the commit?
        assert not mended.wait(timeout=0.7)
        return found

    def mend() -> None:
        letting.wait(timeout=5)
        services.mend_glass(glass, dora)
        mended.set()
        connection.close()

    monkeypatch.setattr(stops, "open_glass", slowly)
    with ThreadPoolExecutor(1) as pool:
        mending = pool.submit(mend)
        assert make_request(agent).action.status == "approved"
        mending.result()

    monkeypatch.setattr(stops, "open_glass", open_glass)
    assert make_request(agent, customer_id="C-8").action.status == "pending"


@pytest.mark.django_db(transaction=True)
def test_releasing_and_deciding_cannot_both_happen(
    dora: User, agent: Agent, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = make_request(agent)
    broken(dora)

    def run(call: Any) -> Any:
        try:
            return call()
        except Refused as refusal:
            return refusal
        finally:
            connection.close()

    reject = Vote.Verdict.REJECT
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(
            pool.map(
                run,
                [
                    lambda: services.release(waiting, dora, digest=waiting.digest),
                    lambda: services.decide(
                        waiting, alice, reject, digest=waiting.digest
                    ),
                ],
            )
        )

    assert sum(isinstance(each, Refused) for each in outcomes) == 1
    assert Vote.objects.count() == 1
    assert judgement.blocked_now(Action.objects.get()) is None
