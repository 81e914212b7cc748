"""The pages on which people say who hears what: each change is on the record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from pytest_django import Settings

from governance import clock
from governance.ledger import Kind
from governance.models import Event, User
from notifications.models import Place, Preference, Rota, Rule
from tests.cast import make_user
from tests.pages import browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> User:
    return make_user("root", is_superuser=True)


def post(person: User, name: str, data: dict[str, Any], *args: Any) -> Any:
    return browser(person).post(reverse(f"admin:{name}", args=args), data)


def changes() -> list[dict[str, Any]]:
    events = Event.objects.filter(kind=Kind.ROUTING_CHANGED).order_by("id")
    return [event.data for event in events]


def place(**fields: Any) -> dict[str, Any]:
    return {
        "title": "Managers",
        "channel": "slack",
        "address": "C0123456789",
        "is_active": "on",
        **fields,
    }


def test_a_channel_is_made_changed_and_taken_away_on_record(
    root: User, managers: Group
) -> None:
    made = post(root, "notifications_place_add", place(group=managers.pk))
    kept = Place.objects.get()
    post(root, "notifications_place_change", place(title="Bosses"), kept.pk)
    post(root, "notifications_place_delete", {"post": "yes"}, kept.pk)

    assert made.status_code == 302
    added, changed, removed = changes()
    assert added["what"] == "channel"
    assert added["changes"]["group"] == {"old": None, "new": managers.name}
    assert changed["changes"] == {
        "title": {"old": "Managers", "new": "Bosses"},
        "group": {"old": managers.name, "new": None},
        "group_id": changed["changes"].get("group_id"),
    } or set(changed["changes"]) == {"title", "group"}
    assert removed["removed"]
    assert not Place.objects.exists()


def test_what_changes_nothing_leaves_no_event(root: User) -> None:
    post(root, "notifications_place_add", place())
    post(root, "notifications_place_change", place(), Place.objects.get().pk)

    assert len(changes()) == 1


@pytest.mark.parametrize(
    ("channel", "address", "words"),
    [
        ("slack", "#managers", "Write the channel&#x27;s id"),
        ("slack", "https://evil.example", "Write the channel&#x27;s id"),
        ("email", "nobody", "valid email"),
        ("email", "a@b.example\nBcc: c@d.example", "valid email"),
        ("other", "json://127.0.0.1", "no service of this name"),
        ("fax", "1", "not one of the available choices"),
    ],
)
def test_an_address_must_fit_its_channel(
    root: User, channel: str, address: str, words: str
) -> None:
    answer = post(
        root, "notifications_place_add", place(channel=channel, address=address)
    )

    assert words in answer.content.decode()
    assert not Place.objects.exists()


def test_a_service_is_named_as_the_settings_name_it(
    root: User, settings: Settings
) -> None:
    settings.APPRISE_URLS = {"desk": "json://localhost"}
    post(root, "notifications_place_add", place(channel="other", address="desk"))

    assert Place.objects.get().address == "desk"


def rule(**fields: Any) -> dict[str, Any]:
    return {
        "title": "Nights",
        "position": 1,
        "least_risk": 0,
        "most_risk": 100,
        "topics": ["asked", "late"],
        "actions": "refund.*, mail.send",
        "channels": ["sms"],
        **fields,
    }


def test_a_rule_is_kept_as_it_was_said(root: User, managers: Group) -> None:
    post(root, "notifications_rule_add", rule(groups=[managers.pk]))

    kept = Rule.objects.get()
    assert (kept.topics, kept.actions) == (["asked", "late"], ["refund.*", "mail.send"])
    assert (kept.channels, kept.places) == (["sms"], False)
    assert list(kept.groups.all()) == [managers]
    [added] = changes()
    assert added["changes"]["groups"] == {"old": None, "new": [managers.name]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"actions": "re*fund"},
        {"topics": ["weather"]},
        {"channels": ["in_app"]},
        {"least_risk": 60, "most_risk": 40},
        {"most_risk": 101},
        {"title": "a\u202eb"},
    ],
)
def test_a_rule_that_makes_no_sense_is_not_kept(
    root: User, wrong: dict[str, Any]
) -> None:
    answer = post(root, "notifications_rule_add", rule(**wrong))

    assert answer.status_code == 200
    assert not Rule.objects.exists()


def rota(group: Group, people: list[User], **fields: Any) -> dict[str, Any]:
    rows = {
        f"turns-{number}-{name}": value
        for number, person in enumerate(people)
        for name, value in (("position", number), ("person", person.pk))
    }
    return {
        "group": group.pk,
        "starts_at_0": "2026-11-02",
        "starts_at_1": "09:00",
        "days": 7,
        "time_zone": "Europe/Berlin",
        "turns-TOTAL_FORMS": len(people),
        "turns-INITIAL_FORMS": 0,
        **rows,
        **fields,
    }


def test_a_rota_names_people_in_their_order(
    root: User, managers: Group, alice: User, bob: User
) -> None:
    post(root, "notifications_rota_add", rota(managers, [bob, alice]))

    kept = Rota.objects.get()
    assert [turn.person for turn in kept.turns.all()] == [bob, alice]
    [added] = changes()
    assert added["changes"]["turns"]["new"] == ["bob", "alice"]
    page = browser(root).get(reverse("admin:notifications_rota_changelist"))
    assert "whose turn it is" in page.content.decode().lower()


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"days": 367}, {"time_zone": "Mars/Olympus"}]
)
def test_a_rota_that_makes_no_sense_is_not_kept(
    root: User, managers: Group, alice: User, wrong: dict[str, Any]
) -> None:
    answer = post(root, "notifications_rota_add", rota(managers, [alice], **wrong))

    assert answer.status_code == 200
    assert not Rota.objects.exists()


# One's own

MINE = "notifications_preference_mine"


def wishes(**fields: Any) -> dict[str, Any]:
    return {
        "email": "on",
        "slack": "on",
        "time_zone": "Europe/Berlin",
        "digest_minutes": 60,
        "urgent_from": 75,
        "mute": "",
        **fields,
    }


def test_people_choose_for_themselves_on_record(alice: User, bob: User) -> None:
    answer = post(alice, MINE, wishes(quiet_from="22:00", quiet_until="07:00"))

    assert answer.status_code == 302
    kept = Preference.objects.get()
    assert (kept.person, kept.digest_minutes) == (alice, 60)
    assert (str(kept.quiet_from), kept.time_zone) == ("22:00:00", "Europe/Berlin")
    [event] = Event.objects.filter(kind=Kind.ROUTING_CHANGED)
    assert event.actor_name == "alice"
    assert "phone" in event.data["changes"] or "email" in event.data["changes"]


def test_choosing_the_same_twice_is_one_event(alice: User) -> None:
    post(alice, MINE, wishes())
    post(alice, MINE, wishes())

    assert len(changes()) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"quiet_from": "22:00"}, "both from when and until when"),
        ({"time_zone": "../../etc/passwd"}, "Name a time zone"),
        ({"digest_minutes": 7}, "not one of the available choices"),
        ({"urgent_from": -1}, "not one of the available choices"),
        ({"mute": "9999999"}, "not one of the available choices"),
    ],
)
def test_what_makes_no_sense_is_said_and_not_kept(
    alice: User, wrong: dict[str, Any], words: str
) -> None:
    answer = post(alice, MINE, wishes(**wrong))

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Preference.objects.exists()


@pytest.mark.parametrize(
    ("number", "kept"), [("+4930123456", True), ("030123456", False), ("", False)]
)
def test_texts_go_to_a_number_with_its_country(
    alice: User, settings: Settings, number: str, kept: bool
) -> None:
    settings.TWILIO_ACCOUNT_SID = "AC1"
    post(alice, MINE, wishes(sms="on", phone=number))

    assert Preference.objects.exists() == kept


def test_muting_ends_by_itself(alice: User) -> None:
    post(alice, MINE, wishes(mute="8"))
    until = Preference.objects.get().muted_until
    assert until
    assert abs(until - clock.now() - timedelta(hours=8)) < timedelta(minutes=1)

    # Changing something else does not begin it anew.
    post(alice, MINE, wishes(mute="keep", digest_minutes=0))
    assert Preference.objects.get().muted_until == until
    post(alice, MINE, wishes())
    assert Preference.objects.get().muted_until is None


def test_channels_that_nobody_set_up_are_not_offered(
    alice: User, settings: Settings
) -> None:
    page = browser(alice).get(reverse(f"admin:{MINE}")).content.decode()
    assert 'name="email"' in page
    assert 'name="sms"' not in page

    settings.SLACK_BOT_TOKEN = "xoxb-1"
    page = browser(alice).get(reverse(f"admin:{MINE}")).content.decode()
    assert 'name="slack"' in page


def test_what_is_not_offered_stays_as_it_was(alice: User) -> None:
    post(alice, MINE, wishes())

    assert Preference.objects.get().slack


def test_looking_changes_nothing(alice: User) -> None:
    browser(alice).get(reverse(f"admin:{MINE}"))

    assert not Preference.objects.exists()
    assert changes() == []
