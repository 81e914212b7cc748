"""By which ways does a message go, and when? Pure but for the rules on record."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.contrib.auth.models import Group

from governance.models import User
from notifications.models import Place, Preference, Rota, Rule
from notifications.routing import ways
from notifications.routing.rota import off_duty
from notifications.routing.ways import Case, Way
from notifications.topics import LOUD, Topic

EVERYWHERE = frozenset({"email", "slack", "sms"})
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def case(topic: Topic = Topic.ASKED, risk: int | None = 30, **fields: object) -> Case:
    return Case(topic, str(fields.get("action", "refund.create")), risk=risk)


def way(wants: Preference, at: datetime = NOON, **fields: object) -> list[Way]:
    risk = fields.get("risk", 30)
    assert isinstance(risk, int)
    return ways.ways(case(risk=risk), EVERYWHERE, wants, at)


@pytest.mark.parametrize("topic", Topic)
@pytest.mark.django_db
def test_without_rules_what_asks_is_loud_and_what_ends_is_not(topic: Topic) -> None:
    route = ways.route(case(topic))

    assert bool(route.channels) == route.places == (topic in LOUD)
    assert not route.ruled


@pytest.mark.django_db
def test_the_first_rule_that_fits_decides() -> None:
    Rule.objects.create(title="b", position=2, channels=["email"])
    Rule.objects.create(
        title="a", position=1, channels=["sms"], least_risk=50, topics=["asked"]
    )

    assert ways.route(case(risk=60)).channels == {"sms"}
    assert ways.route(case(risk=49)).channels == {"email"}
    assert ways.route(case(Topic.LATE, risk=60)).channels == {"email"}


@pytest.mark.parametrize(
    ("actions", "fits"),
    [([], True), (["refund.*"], True), (["*"], True), (["mail.*"], False)],
)
@pytest.mark.django_db
def test_a_rule_can_be_about_some_actions(actions: list[str], fits: bool) -> None:
    Rule.objects.create(title="a", actions=actions, channels=["sms"])

    assert ways.route(case()).ruled == fits


@pytest.mark.django_db
def test_a_rule_can_be_about_some_groups(managers: Group) -> None:
    rule = Rule.objects.create(title="a", channels=[])
    rule.groups.add(managers)

    mine = Case(Topic.ASKED, groups=frozenset({managers.name, "finance"}), risk=1)
    assert ways.route(mine).ruled
    assert not ways.route(Case(Topic.ASKED, groups=frozenset({"finance"}))).ruled


@pytest.mark.django_db
def test_what_is_about_no_request_counts_as_the_highest_risk() -> None:
    Rule.objects.create(title="a", least_risk=100, channels=["sms"])

    assert ways.route(Case(Topic.STOPPED)).channels == {"sms"}


def test_people_choose_their_channels() -> None:
    assert [each.channel for each in way(Preference(sms=True, email=False))] == [
        "slack",
        "sms",
    ]


# When

BERLIN = Preference(
    quiet_from=time(22), quiet_until=time(7), time_zone="Europe/Berlin", slack=False
)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        # Berlin is two hours ahead of UTC in summer.
        ("2026-07-01 19:59", "2026-07-01 19:59"),
        ("2026-07-01 20:00", "2026-07-02 05:00"),
        ("2026-07-02 04:59", "2026-07-02 05:00"),
        ("2026-07-02 05:00", "2026-07-02 05:00"),
        # The night in which clocks are put back, and the one in which they are not.
        ("2026-10-24 21:00", "2026-10-25 06:00"),
        ("2026-03-28 22:00", "2026-03-29 05:00"),
    ],
)
def test_quiet_hours_end_by_the_readers_own_clock(now: str, then: str) -> None:
    at, expected = (datetime.fromisoformat(f"{each}Z") for each in (now, then))

    assert [each.at for each in way(BERLIN, at)] == [expected]


def test_quiet_hours_within_a_day() -> None:
    siesta = Preference(quiet_from=time(11), quiet_until=time(13))

    assert {each.at for each in way(siesta)} == {NOON + timedelta(hours=1)}
    assert {each.at for each in way(siesta, NOON + timedelta(hours=1))} == {
        NOON + timedelta(hours=1)
    }


def test_nobody_who_is_muted_hears_anything_but_what_is_urgent() -> None:
    away = Preference(muted_until=NOON + timedelta(days=1))

    assert way(away) == []
    assert way(away, NOON + timedelta(days=1)) != []
    assert {each.at for each in way(away, risk=75)} == {NOON}


def test_the_risk_from_which_it_is_urgent_can_be_chosen() -> None:
    deaf = Preference(muted_until=NOON + timedelta(days=1), urgent_from=101)

    assert way(deaf, risk=100) == []


def test_what_is_about_no_request_is_always_urgent() -> None:
    away = Preference(muted_until=NOON + timedelta(days=1))

    assert ways.ways(Case(Topic.STOPPED), EVERYWHERE, away, NOON) != []


def test_low_risk_is_collected_by_mail_alone() -> None:
    wants = Preference(digest_minutes=30)
    at = NOON + timedelta(minutes=7)

    assert way(wants, at, risk=24) == [
        Way("email", NOON + timedelta(minutes=30), digest=True),
        Way("slack", at),
    ]
    assert way(wants, at, risk=25) == [Way("email", at), Way("slack", at)]


# Where groups look, and whose turn it is


@pytest.mark.django_db
def test_two_groups_that_look_at_one_place_are_told_there_once(
    managers: Group,
) -> None:
    other = Group.objects.create(name="finance-2")
    for number, group in enumerate((managers, other)):
        Place.objects.create(
            title=f"{number}", channel="slack", address="C1", group=group
        )
    Place.objects.create(
        title="off", channel="slack", address="C2", group=other, is_active=False
    )

    found = ways.places(frozenset({managers.name, other.name}))
    assert [place.address for place in found] == ["C1"]


@pytest.fixture
def rota(managers: Group, alice: User, bob: User) -> Rota:
    rota = Rota.objects.create(group=managers, starts_at=NOON, days=7)
    for position, person in enumerate((alice, bob)):
        rota.turns.create(person=person, position=position)
    return rota


@pytest.mark.parametrize(
    ("days", "off"), [(0, "bob"), (6, "bob"), (7, "alice"), (14, "bob"), (-1, "alice")]
)
@pytest.mark.django_db
def test_people_take_turns(
    rota: Rota, alice: User, bob: User, days: int, off: str
) -> None:
    people = {alice, bob}
    found = off_duty([rota.group.name], people, NOON + timedelta(days=days))

    assert {each.username for each in people if each.pk in found} == {off}


@pytest.mark.django_db
def test_the_next_one_is_told_if_somebody_is_not_asked(rota: Rota, bob: User) -> None:
    assert off_duty([rota.group.name], [bob], NOON) == set()


@pytest.mark.django_db
def test_whoever_has_no_turn_in_a_group_is_off_duty_there(
    rota: Rota, alice: User, bob: User, charlie: User
) -> None:
    charlie.groups.add(rota.group)

    found = off_duty([rota.group.name], [alice, bob, charlie], NOON)
    assert found == {bob.pk, charlie.pk}


@pytest.mark.django_db
def test_a_group_without_a_rota_hears_as_a_whole(
    rota: Rota, alice: User, bob: User, carol: User
) -> None:
    groups = [rota.group.name, "finance"]

    assert off_duty(groups, [alice, bob, carol], NOON) == {bob.pk}


@pytest.mark.django_db
def test_a_rota_of_people_who_left_keeps_nobody_from_hearing(
    rota: Rota, charlie: User
) -> None:
    charlie.groups.add(rota.group)

    assert off_duty([rota.group.name], [charlie], NOON) == set()
