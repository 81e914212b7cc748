"""People in the console: rights change under a lock, on record, and never one's own."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.ledger import Kind
from governance.models import Event, User
from tests.cast import make_user
from tests.pages import browser, permit, queries, root

USERS = "/admin/governance/user/"
GROUPS = "/admin/auth/group/"


@pytest.fixture
def admin(db: None) -> User:
    return root()


@pytest.fixture
def console(admin: User) -> Client:
    return browser(admin)


def page(user: User) -> str:
    return f"{USERS}{user.pk}/change/"


def form(user: User, **fields: Any) -> dict[str, Any]:
    """Return what the page's form sends when only these fields are changed."""
    return {
        "username": user.username,
        "first_name": "",
        "last_name": "",
        "email": user.email,
        "is_active": "on",
        "is_staff": "on",
        "groups": [group.pk for group in user.groups.all()],
        **fields,
    }


def changes() -> Any:
    return Event.objects.get(kind=Kind.USER_CHANGED).data["changes"]


def test_it_records_what_changed_about_a_person(
    console: Client, alice: User, finance: Group
) -> None:
    fields = form(alice, email="new@example.com", groups=[finance.pk])

    assert console.post(page(alice), fields).status_code == 302

    assert changes() == {
        "email": {"old": "alice@example.com", "new": "new@example.com"},
        "groups": {"old": ["customer-service-managers"], "new": ["finance"]},
    }


def test_it_records_nothing_when_nothing_changed(console: Client, alice: User) -> None:
    console.post(page(alice), form(alice))

    assert not Event.objects.filter(kind=Kind.USER_CHANGED).exists()


def test_a_person_is_locked_and_written_before_their_groups(
    console: Client, alice: User, finance: Group
) -> None:
    with CaptureQueriesContext(connection) as captured:
        console.post(page(alice), form(alice, groups=[finance.pk]))

    statements = [query["sql"] for query in captured.captured_queries]
    person = first(statements, 'UPDATE "governance_user" ')
    groups = first(statements, '"governance_user_groups"', "DELETE", "INSERT")
    assert person < groups
    assert not any(s.startswith("COMMIT") for s in statements[person:groups])
    if connection.vendor == "postgresql":
        assert first(statements, "FOR NO KEY UPDATE") < person


def first(statements: list[str], part: str, *beginnings: str) -> int:
    return next(
        index
        for index, statement in enumerate(statements)
        if part in statement and (not beginnings or statement.startswith(beginnings))
    )


def test_nobody_gives_rights_to_themselves(
    admin: User, console: Client, finance: Group
) -> None:
    console.post(page(admin), form(admin, groups=[finance.pk], is_superuser=""))

    admin.refresh_from_db()
    assert admin.is_superuser
    assert not admin.groups.exists()


@pytest.fixture
def keeper(db: None) -> User:
    """Someone who looks after people, without being able to do everything."""
    user = make_user("keeper", Group.objects.create(name="keepers"))
    permit(user, "governance.view_user", "governance.change_user")
    permit(user, "auth.view_group", "auth.change_group")
    return user


def test_a_keeper_of_people_makes_no_superusers(keeper: User, alice: User) -> None:
    browser(keeper).post(page(alice), form(alice, is_superuser="on"))

    alice.refresh_from_db()
    assert not alice.is_superuser


def test_a_keeper_of_people_cannot_become_a_superuser(
    keeper: User, admin: User
) -> None:
    password = f"{USERS}{admin.pk}/password/"

    for url in (page(admin), password):
        browser(keeper).post(url, {"password1": "a-new-one", "password2": "a-new-one"})

    admin.refresh_from_db()
    assert admin.check_password("demo")


def test_members_do_not_widen_their_own_group(keeper: User) -> None:
    group = keeper.groups.get()
    every = [permission.pk for permission in Permission.objects.all()]

    browser(keeper).post(f"{GROUPS}{group.pk}/change/", {"permissions": every})

    assert not group.permissions.exists()


def test_a_new_password_is_on_record_and_what_it_is_is_not(
    console: Client, alice: User
) -> None:
    fields = {
        "password1": "correct horse battery",
        "password2": "correct horse battery",
        "usable_password": "true",
    }

    console.post(f"{USERS}{alice.pk}/password/", fields)

    alice.refresh_from_db()
    assert alice.check_password("correct horse battery")
    assert changes() == {"password": "changed"}


def test_a_new_person_is_on_record(console: Client, finance: Group) -> None:
    fields = {
        "username": "dora",
        "password1": "correct horse battery",
        "password2": "correct horse battery",
        "usable_password": "true",
        "is_staff": "on",
        "groups": [finance.pk],
    }

    assert console.post(f"{USERS}add/", fields).status_code == 302

    event = Event.objects.get(kind=Kind.USER_CHANGED)
    assert event.data["created"]
    assert event.data["changes"]["groups"]["new"] == ["finance"]


def test_nobody_deletes_a_person(console: Client, alice: User) -> None:
    answer = console.post(f"{USERS}{alice.pk}/delete/", {"post": "yes"})

    assert answer.status_code == 403


def test_a_group_with_people_in_it_stays(
    console: Client, alice: User, managers: Group
) -> None:
    url = f"{GROUPS}{managers.pk}/delete/"

    assert console.post(url, {"post": "yes"}).status_code == 403


def test_a_group_that_a_flow_asks_stays(
    console: Client, refund_rules: None, managers: Group
) -> None:
    url = f"{GROUPS}{managers.pk}/delete/"

    assert console.post(url, {"post": "yes"}).status_code == 403


def test_a_group_nobody_needs_goes_on_record(console: Client, managers: Group) -> None:
    url = f"{GROUPS}{managers.pk}/delete/"

    assert console.post(url, {"post": "yes"}).status_code == 302

    assert not Group.objects.exists()
    assert Event.objects.get(kind=Kind.USER_CHANGED).data["removed"]


def test_permissions_of_a_group_are_on_record(console: Client, managers: Group) -> None:
    wanted = Permission.objects.get(codename="view_action")

    console.post(f"{GROUPS}{managers.pk}/change/", {"permissions": [wanted.pk]})

    new = changes()["permissions"]["new"]
    assert new == ["governance.view_action"]


@pytest.mark.parametrize("url", [USERS, GROUPS])
def test_lists_cost_the_same_for_one_and_eleven(console: Client, url: str) -> None:
    make_user("person-0", Group.objects.create(name="group-0"))
    one = queries(console, url)
    for number in range(1, 11):
        make_user(f"person-{number}", Group.objects.create(name=f"group-{number}"))

    assert len(queries(console, url)) == len(one)
