"""Linking an account in Slack: by the person, logged in, once, and seen by everybody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.messages import get_messages
from django.core import signing
from django.test import Client

from governance import clock
from governance.ledger import Kind
from governance.models import Event, User
from notifications.models import SlackAccount, Spent
from notifications.slack import accounts
from tests.approvals.factories import browser
from tests.notifications.slackserver import TEAM, SlackServer, person, refuse
from tests.pages import permit

pytestmark = pytest.mark.django_db
PAGE = "/admin/notifications/slackaccount/"


def invitation(user: str = "U0ALICE", team: str = TEAM) -> str:
    """Return the path of a fresh link."""
    return urlsplit(accounts.invite(team, user)).path


def told(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def test_it_is_shown_first_and_linked_when_it_is_confirmed(
    slack: SlackServer, alice: User
) -> None:
    path, client = invitation(), browser(alice)
    page = client.get(path)
    text = page.content.decode()
    assert page.status_code == 200
    for words in ("Alice", "alice@example.com", "U0ALICE", "Acme", TEAM):
        assert words in text
    assert not SlackAccount.objects.exists()

    answer = client.post(path)
    assert answer["Location"] == PAGE
    account = SlackAccount.objects.get()
    assert (account.person, account.team, account.user) == (alice, TEAM, "U0ALICE")
    [event] = Event.objects.filter(kind=Kind.SLACK_LINKED)
    assert (event.actor_name, event.stream) == ("alice", "user:alice")
    assert event.data["user"] == "U0ALICE"


def test_looking_uses_nothing_up(slack: SlackServer, alice: User) -> None:
    path, client = invitation(), browser(alice)
    for method in (client.get, client.head, client.options) * 3:
        method(path)

    assert not Spent.objects.exists()
    assert not SlackAccount.objects.exists()


def test_it_is_good_for_one_use(slack: SlackServer, alice: User, bob: User) -> None:
    path = invitation()
    browser(alice).post(path)
    SlackAccount.objects.all().delete()

    for client in (browser(alice), browser(bob)):
        answer = client.post(path)
        assert "used up" in told(answer)[0]
    assert not SlackAccount.objects.exists()


def test_it_is_good_for_ten_minutes(slack: SlackServer, alice: User) -> None:
    path, client = invitation(), browser(alice)
    with clock.shifted(timedelta(minutes=9)):
        assert client.get(path).status_code == 200
    with clock.shifted(timedelta(minutes=11)):
        assert "too old" in told(client.post(path))[0]
    assert not SlackAccount.objects.exists()


def test_it_takes_a_login(slack: SlackServer) -> None:
    path = invitation()
    for answer in (Client().get(path), Client().post(path)):
        assert answer.status_code == 302
        assert "/admin/login/" in answer["Location"]
    assert slack.calls == []


def test_it_takes_the_token_of_the_form(slack: SlackServer, alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice, "django.contrib.auth.backends.ModelBackend")

    assert client.post(invitation()).status_code == 403
    assert not SlackAccount.objects.exists()


def test_a_link_that_was_forged_says_nothing(slack: SlackServer, alice: User) -> None:
    said = [TEAM, "U0ALICE", "x", clock.now().timestamp()]
    forged = [
        "x",
        signing.dumps(said, salt="other"),
        signing.dumps(said, key="guessed", salt=accounts.SALT),
        signing.dumps("x", salt=accounts.SALT),
        invitation().split("/")[-2][:-1],
    ]
    for token in forged:
        answer = browser(alice).post(f"{PAGE}link/{token}/")
        assert "used up, or too old" in told(answer)[0]
    assert slack.calls == []


def test_an_address_that_differs_is_pointed_out(
    slack: SlackServer, alice: User
) -> None:
    slack.people["U0EVIL"] = person("U0EVIL", "Alice", "mallory@example.com")
    page = browser(alice).get(invitation("U0EVIL"))

    assert "The e-mail address is another one" in page.content.decode()
    assert "is another one" not in browser(alice).get(invitation()).content.decode()


def test_a_name_stays_a_text(slack: SlackServer, alice: User) -> None:
    name = "<script>alert(1)</script>\u202eecila"
    slack.people["U0EVIL"] = person("U0EVIL", name, "")
    text = browser(alice).get(invitation("U0EVIL")).content.decode()

    assert "<script>alert(1)" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    "fields",
    [{"deleted": True}, {"is_bot": True}, {"team_id": "T0OTHER"}],
)
def test_only_people_who_work_there_are_linked(
    slack: SlackServer, alice: User, fields: dict[str, Any]
) -> None:
    found = person("U0ODD", "Odd", "odd@example.com")
    slack.people["U0ODD"] = {**found, **fields}
    answer = browser(alice).post(invitation("U0ODD"))

    assert "Only people who work in this workspace" in told(answer)[0]
    assert not SlackAccount.objects.exists()


def test_slack_that_does_not_answer_uses_nothing_up(
    slack: SlackServer, alice: User
) -> None:
    slack.failures["users.info"] = [refuse("internal_error")]
    path = invitation()
    assert "Try again" in told(browser(alice).post(path))[0]

    browser(alice).post(path)
    assert SlackAccount.objects.exists()


def test_nobody_takes_the_account_of_somebody_else(
    slack: SlackServer, alice: User, bob: User
) -> None:
    browser(alice).post(invitation())
    answer = browser(bob).post(invitation())

    assert "Somebody else here has linked" in told(answer)[0]
    assert SlackAccount.objects.get().person == alice


def test_a_new_account_takes_the_place_of_the_old_one(
    slack: SlackServer, alice: User
) -> None:
    slack.people["U0NEW"] = person("U0NEW", "Alice B.", "alice@example.com")
    browser(alice).post(invitation())
    browser(alice).post(invitation("U0NEW"))

    assert SlackAccount.objects.get().user == "U0NEW"


def link(user: User) -> SlackAccount:
    return SlackAccount.objects.create(
        person=user, team=TEAM, user=f"U0{user}", name=str(user), linked_at=clock.now()
    )


def unlink(user: User, account: SlackAccount) -> Any:
    return browser(user).post(f"{PAGE}{account.pk}/unlink/")


def test_people_unlink_themselves(slack: SlackServer, alice: User) -> None:
    account = link(alice)
    assert "Unlink" in browser(alice).get(PAGE).content.decode()
    unlink(alice, account)

    assert not SlackAccount.objects.exists()
    [event] = Event.objects.filter(kind=Kind.SLACK_UNLINKED)
    assert (event.actor_name, event.stream) == ("alice", "user:alice")


def test_nobody_unlinks_others_but_administrators(
    slack: SlackServer, alice: User, bob: User, carol: User, admin_user: User
) -> None:
    account = link(alice)
    assert unlink(bob, account).status_code == 404
    permit(carol, "governance.view_user")
    assert unlink(carol, account).status_code == 403
    assert SlackAccount.objects.exists()

    unlink(admin_user, account)
    assert not SlackAccount.objects.exists()
    [event] = Event.objects.filter(kind=Kind.SLACK_UNLINKED)
    assert (event.actor_name, event.stream) == (admin_user.username, "user:alice")


def test_people_see_their_own_and_administrators_all(
    slack: SlackServer, alice: User, bob: User, admin_user: User
) -> None:
    link(alice)
    assert "U0alice" not in browser(bob).get(PAGE).content.decode()
    text = browser(admin_user).get(PAGE).content.decode()
    assert "U0alice" in text
    assert 'aria-label="Unlink alice"' in text


def test_looking_at_it_by_get_unlinks_nothing(slack: SlackServer, alice: User) -> None:
    account = link(alice)

    assert browser(alice).get(f"{PAGE}{account.pk}/unlink/").status_code == 405
    assert SlackAccount.objects.exists()
