"""The dashboard: who sees which figures, and whether each number leads to its rows."""

from __future__ import annotations

import re
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from approvals import services
from approvals.console.dashboard import vigilance
from approvals.console.dashboard.said import share, took
from approvals.console.filters import Choice
from approvals.figures import keeping
from approvals.models import ApprovalRequest, KeptDay, Vote
from governance import clock
from governance.models import Action, Agent, User
from policies import services as rules
from policies.bodies import Subject
from tests.approvals.factories import QUEUE, make_request
from tests.approvals.history import make_history
from tests.cast import make_user
from tests.pages import browser, permit, root

pytestmark = pytest.mark.django_db
PAGE = "/admin/dashboard/"


def context(person: User, **query: str) -> Any:
    answer = browser(person).get(PAGE, query)
    assert answer.status_code == 200
    return answer.context


def behind(person: User, link: str) -> int:
    """Return how many rows are on the list that a number leads to."""
    answer = browser(person).get(link)
    assert answer.status_code == 200, link
    count: int = answer.context["cl"].result_count
    return count


def auditor(name: str = "auditor") -> User:
    person = make_user(name)
    permit(person, "approvals.view_all_approvalrequest", "governance.view_action")
    return person


def test_it_is_for_whoever_may_open_the_console(
    refund: ApprovalRequest, alice: User, charlie: User
) -> None:
    assert browser(alice).get(PAGE).status_code == 200
    assert browser(charlie).get(PAGE).status_code == 403
    assert browser(charlie).get(f"{PAGE}budgets/").status_code == 403
    assert "login" in browser(make_user("away", is_staff=False)).get(PAGE)["Location"]
    assert reverse("dashboard") in browser(alice).get("/admin/").content.decode()


def test_an_empty_installation_says_what_comes_next() -> None:
    html = browser(root()).get(PAGE).content.decode()

    assert "Nothing to count yet" in html
    assert 'href="/admin/"' in html
    assert "There may be something" not in html


def test_groups_see_what_they_were_asked(
    refund: ApprovalRequest, agent: Agent, alice: User, carol: User
) -> None:
    make_request(agent, 500, customer_id="C-9")
    services.decide(refund, alice, Vote.Verdict.APPROVE, digest=refund.digest)

    managers, finance = context(alice), context(carol)
    assert managers["now"].open == 0
    assert finance["now"].open == 1
    assert [way.value for way in managers["board"].ways] == [1, 0, 0]
    assert [way.value for way in finance["board"].ways] == [0, 0, 0]
    assert [way.value for way in context(auditor())["board"].ways] == [0, 0, 1, 0, 0]


@pytest.mark.parametrize("period", ["today", "30", "90"])
def test_every_number_leads_to_its_rows(period: str) -> None:
    make_history(
        Random(5), 60, clock.now(), days={"today": 1, "30": 30}.get(period, 99)
    )
    person = auditor()
    permit(person, "approvals.view_vigilance")
    person.groups.set(Group.objects.all())

    found = context(person, period=period)
    board = found["board"]
    numbers = [(way.value, way.link) for way in board.ways]
    numbers += [(bar.value, bar.link) for bars in found["bars"] for bar in bars.bars]
    numbers += [(team.late, team.late_link) for team in board.teams]
    for chart in (board.charts["answers"], board.charts["risk"]):
        cells = [cell for series in chart.series for cell in series.cells if cell.value]
        numbers += [(cell.value, cell.link) for cell in cells[:4]]
    for member in found["vigilance"].members:
        numbers.append((member.decisions, member.link))
        figures = (member.quick, member.unopened, member.differed)
        numbers += [(figure.n, figure.link) for figure in figures]
    assert len([n for n, _ in numbers if n]) > 15
    for number, link in numbers:
        if link:
            assert behind(person, link) == number, link


def test_tiles_lead_to_their_requests(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    done = make_request(agent, 60, customer_id="C-9")
    services.decide(done, alice, Vote.Verdict.REJECT, digest=done.digest)

    html = browser(alice).get(PAGE).content.decode()
    tiles = re.findall(r'class="db-tile[^>]*href="([^"]+)".*?<strong>(\d+)', html)
    assert [int(number) for _, number in tiles] == [1, 0, 1]
    for link, number in tiles:
        assert behind(alice, link.replace("&amp;", "&")) == int(number)


def test_tiles_leave_out_what_is_seen_for_another_reason(
    refund: ApprovalRequest, agent: Agent, alice: User, carol: User
) -> None:
    """Carol stands in for alice, and has voted as a manager before."""
    voted = make_request(agent, customer_id="C-8")
    carol.groups.add(*alice.groups.all())
    services.decide(voted, carol, Vote.Verdict.REJECT, digest=voted.digest)
    carol.groups.remove(*alice.groups.all())
    own = make_request(agent, 500, customer_id="C-9")
    services.decide(own, carol, Vote.Verdict.REJECT, digest=own.digest)
    make_request(agent, 500, customer_id="C-10")
    services.delegate(alice, carol, ends_at=clock.now() + timedelta(days=1))
    assert behind(carol, f"{QUEUE}?show=all&state=open") == 2

    with clock.shifted(timedelta(hours=1)):
        found = context(carol, period="7")
        html = browser(carol).get(PAGE).content.decode()
        tiles = re.findall(r'class="db-tile[^>]*href="([^"]+)".*?<strong>(\d+)', html)
        numbers = [(int(number), link.replace("&amp;", "&")) for link, number in tiles]
        numbers += [(way.value, way.link) for way in found["board"].ways]
        assert [number for number, _ in numbers] == [1, 1, 1, 1, 0, 0]
        for number, link in numbers:
            assert behind(carol, link) == number, link


def test_what_is_late_stays_late_once_it_is_on_record(
    refund: ApprovalRequest, alice: User
) -> None:
    with clock.shifted(timedelta(hours=1)):
        assert context(alice)["now"].overdue == 1
        services.settle(refund.action_id)
        assert context(alice)["now"].overdue == 1
        figures = browser(alice).get("/admin/").context["figures"]
        assert [f["value"] for f in figures if f["title"] == "Overdue"] == [1]


def test_a_decision_in_time_keeps_the_sla(
    refund: ApprovalRequest, agent: Agent, alice: User
) -> None:
    late = make_request(agent, 60, customer_id="C-9")
    services.decide(refund, alice, Vote.Verdict.APPROVE, digest=refund.digest)
    with clock.shifted(timedelta(hours=1)):
        services.decide(late, alice, Vote.Verdict.APPROVE, digest=late.digest)
        (team,) = context(alice, period="7")["board"].teams

    assert (team.name, team.kept, team.late) == ("Manager", "50%", 1)


WAIT = {"timeout": "4h"}
TWO_STAGES = {
    "name": "managers",
    "stages": [
        {"name": "First: a", "groups": ["customer-service-managers"], "sla": "15m"}
        | WAIT,
        {"name": "Second", "groups": ["finance"], "sla": "15m"} | WAIT,
    ],
}


def test_a_missed_sla_leads_to_what_this_stage_was_late_for(
    refund: ApprovalRequest, agent: Agent, alice: User, carol: User
) -> None:
    rules.save(Subject.FLOW, TWO_STAGES)
    slow_first, slow_last = (make_request(agent, customer_id=c) for c in "AB")
    services.decide(slow_last, alice, Vote.Verdict.APPROVE, digest=slow_last.digest)
    with clock.shifted(timedelta(hours=1)):
        for person in (alice, carol):
            services.decide(
                slow_first, person, Vote.Verdict.APPROVE, digest=slow_first.digest
            )
        services.decide(slow_last, carol, Vote.Verdict.APPROVE, digest=slow_last.digest)
        reader = auditor()
        teams = context(reader, period="7")["board"].teams
        late = [(team.name, team.late) for team in teams]

        assert late == [("First: a", 1), ("Second", 1)]
        for team in teams:
            assert behind(reader, team.late_link) == 1
        page = browser(reader).get(teams[0].late_link).content.decode()
    assert ">Missed by First: a<" in page


def test_names_are_shown_as_text(refund: ApprovalRequest, alice: User) -> None:
    make_history(Random(3), 40, clock.now(), days=1)
    hostile = '"><script>alert(1)</script>\u202eevil'
    User.objects.filter(username="person-1").update(first_name=hostile)

    html = browser(root()).get(PAGE, {"period": "7"}).content.decode()
    assert "<script>alert" not in html
    assert "Finance <b>" not in html
    assert "\u202e" not in html


def test_care_is_for_those_who_lead(refund: ApprovalRequest, alice: User) -> None:
    make_history(Random(3), 40, clock.now(), days=5)
    lead = make_user("lead", Group.objects.get(name="group 0"))
    permit(lead, "approvals.view_approvalrequest", "approvals.view_vigilance")

    assert context(alice)["vigilance"] is None
    names = [each.name for each in context(lead)["vigilance"].members]
    assert names == ["person-0", "person-3"]
    assert len(context(root())["vigilance"].members) == 5


def test_care_says_little_of_few_decisions() -> None:
    figure = vigilance.Figure(2, 5, "")
    assert figure.shown == "2 of 5"
    assert vigilance.Figure(2, 20, "").shown == "10%"


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 0, "-"), (0, 9, "0%"), (1, 999, "under 1%"), (998, 999, "over 99%")],
)
def test_shares_are_said(part: int, whole: int, said: str) -> None:
    assert share(part, whole) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "-"),
        (0.14, "0.1 s"),
        (42.2, "42 s"),
        (59.6, "1 min"),
        (3_640, "1 h 1 min"),
    ],
)
def test_times_are_said(seconds: float | None, said: str) -> None:
    assert took(seconds) == said


def test_it_costs_the_same_however_much_there_is() -> None:
    person = auditor()
    permit(person, "approvals.view_vigilance", "policies.view_lookback")
    person.groups.set([Group.objects.create(name="auditors")])

    def statements() -> int:
        client = browser(person)
        client.get(PAGE)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(PAGE).status_code == 200
        return len(captured)

    cast = make_history(Random(1), 8, clock.now(), days=20)
    few = statements()
    cast.agents = [*cast.agents, *(Agent.objects.create(name=f"b-{n}") for n in "123")]
    make_history(Random(2), 40, clock.now(), 20, cast)
    assert statements() == few


def test_days_are_kept_once_nothing_about_them_can_change(
    refund: ApprovalRequest, agent: Agent
) -> None:
    now = clock.now()
    hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    wanted = KeptDay.objects.filter(ends_at=hour, scope="")

    # What waits may still expire, and take effect within this hour.
    Action.objects.update(due_at=now, deadline_at=now)
    keeping.keep(hour + timedelta(minutes=30))
    assert not wanted.exists()
    services.cancel(refund.action_id, agent)
    keeping.keep(hour + timedelta(minutes=9))
    assert not wanted.exists()
    keeping.keep(hour + timedelta(minutes=30))
    assert wanted.exists()


def test_hours_are_forgotten_when_their_day_is_over(refund: ApprovalRequest) -> None:
    Action.objects.update(due_at=None)
    later = clock.now() + timedelta(days=1)
    keeping.keep(later.replace(hour=5))
    assert KeptDay.objects.filter(
        starts_at__gte=later.replace(hour=1, minute=0)
    ).exists()

    keeping.keep(later.replace(hour=5) + timedelta(days=1))
    lengths = {row.ends_at - row.starts_at for row in KeptDay.objects.all()}
    assert lengths == {timedelta(hours=1), timedelta(days=1)}
    assert not KeptDay.objects.filter(
        starts_at=later.replace(hour=0, minute=0, second=0, microsecond=0),
        ends_at=later.replace(hour=1, minute=0, second=0, microsecond=0),
    ).exists()


# What is behind the figures of care


def lead_of(*groups: Group) -> User:
    lead = make_user("lead", *groups)
    permit(lead, "approvals.view_all_approvalrequest", "approvals.view_vigilance")
    return lead


@pytest.mark.parametrize("what", ["quick", "unopened", "differed"])
def test_how_somebody_decides_is_listed_for_those_who_lead_them(
    refund: ApprovalRequest, managers: Group, alice: User, carol: User, what: str
) -> None:
    services.decide(refund, alice, Vote.Verdict.APPROVE, digest=refund.digest)
    lead = lead_of(managers)
    about = {"show": "all", "care": f"{what}:alice"}
    others = {"show": "all", "care": f"{what}:carol"}

    for person, query, status in [
        (lead, about, 200),
        (root(), about, 200),
        (lead, others, 403),
        (auditor(), about, 403),
        (alice, about, 403),
    ]:
        assert browser(person).get(QUEUE, query).status_code == status, person
        live = browser(person).get(f"{QUEUE}live/", query, headers={"HX-Request": "1"})
        assert live.status_code == status, person


def test_a_kept_view_tells_no_more(
    refund: ApprovalRequest, managers: Group, alice: User
) -> None:
    services.decide(refund, alice, Vote.Verdict.APPROVE, digest=refund.digest)
    choice = Choice.of(QueryDict("show=all&care=unopened%3Aalice"))
    everything = ApprovalRequest.objects.all()

    assert set(choice.rows(everything, lead_of(managers), clock.now())) == {refund}
    assert not choice.rows(everything, alice, clock.now())


def test_a_role_is_no_team(managers: Group, alice: User) -> None:
    role = Group.objects.get_or_create(name="Role: team lead")[0]
    other, lead = make_user("other", role), lead_of(role, managers)

    assert set(vigilance.led_by(lead)) == {lead, alice}
    assert set(vigilance.led_by(other)) == set()
