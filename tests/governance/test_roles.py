"""Roles: the same everywhere, made again and again, and not for everybody to give."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from governance import roles
from governance.ledger import Kind
from governance.models import Event, User
from tests.cast import make_user
from tests.governance.test_admin_people import GROUPS, USERS, form, page
from tests.pages import browser, permit, root

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def made() -> list[str]:
    return roles.make()


def role(title: str) -> Group:
    return Group.objects.get(name=f"Role: {title}")


@pytest.fixture
def admin() -> User:
    return make_user("ada", role("administrator"))


@pytest.fixture
def keeper() -> User:
    """Someone who looks after people, and is no administrator."""
    user = make_user("keeper")
    permit(user, "governance.view_user", "governance.change_user")
    permit(user, "governance.add_user", "auth.view_group", "auth.change_group")
    return user


def test_they_have_exactly_their_permissions() -> None:
    for each in roles.known():
        found = Permission.objects.filter(group__name=each.name)
        assert found.count() == len(set(each.permissions)) == len(each.permissions)


def test_making_them_again_changes_nothing_and_mends_what_is_amiss() -> None:
    assert roles.make() == []
    role("approver").permissions.clear()

    out = StringIO()
    call_command("make_roles", stdout=out)

    assert out.getvalue() == "Made: Role: approver\n"
    assert role("approver").permissions.exists()
    event = Event.objects.latest("pk")
    assert (event.kind, event.stream) == (Kind.USER_CHANGED, "group:Role: approver")


def test_no_role_but_that_of_administrators_hands_out_roles() -> None:
    people = {"governance.assign_roles", "governance.change_user", "auth.change_group"}
    for each in roles.known():
        if each.name != "Role: administrator":
            assert not people & set(each.permissions)


def test_an_administrator_gives_a_role_by_ticking_it(
    admin: User, alice: User, managers: Group
) -> None:
    fields = form(alice, roles=[role("team lead").pk])

    assert browser(admin).post(page(alice), fields).status_code == 302

    assert set(alice.groups.all()) == {managers, role("team lead")}
    browser(admin).post(page(alice), form(alice, groups=[managers.pk], roles=[]))
    assert set(alice.groups.all()) == {managers}


def test_the_page_says_what_each_role_is_for(admin: User, alice: User) -> None:
    text = browser(admin).get(page(alice)).content.decode()

    assert "Team lead: Sees every request" in text


@pytest.mark.parametrize("who", ["ada", "keeper"])
def test_nobody_gives_a_role_to_themselves(admin: User, keeper: User, who: str) -> None:
    user = User.objects.get(username=who)
    groups = set(user.groups.all())
    lead = role("team lead").pk

    browser(user).post(page(user), form(user, roles=[lead], groups=[lead]))

    assert set(user.groups.all()) == groups


def test_who_is_no_administrator_gives_no_roles(keeper: User, alice: User) -> None:
    groups = set(alice.groups.all())
    for title in ("team lead", "administrator"):
        pk = role(title).pk
        browser(keeper).post(page(alice), form(alice, roles=[pk], groups=[pk]))

    assert set(alice.groups.all()) == groups


def test_who_is_no_administrator_makes_no_people_with_roles(keeper: User) -> None:
    fields = {
        "username": "mallory",
        "password1": "correct horse battery",
        "password2": "correct horse battery",
        "usable_password": "true",
        "roles": [role("administrator").pk],
    }
    browser(keeper).post(f"{USERS}add/", fields)

    assert not User.objects.filter(username="mallory", groups__isnull=False).exists()


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("title", ["administrator", "team lead"])
def test_who_may_more_is_not_for_a_keeper_to_edit(
    keeper: User, title: str, active: bool
) -> None:
    other = make_user("other", role(title), is_active=active)
    new = {"password1": "correct horse battery", "password2": "correct horse battery"}

    browser(keeper).post(page(other), form(other, groups=[], email="mine@example.com"))
    browser(keeper).post(f"{USERS}{other.pk}/password/", new)

    other.refresh_from_db()
    assert other.email == "other@example.com"
    assert other.check_password("demo")
    assert other.groups.exists()


def test_an_administrator_edits_administrators_and_no_superusers(admin: User) -> None:
    other, above = make_user("other", role("administrator")), root()
    for user in (other, above):
        fields = form(user, email="new@example.com", groups=[])
        browser(admin).post(page(user), fields)

    other.refresh_from_db()
    above.refresh_from_db()
    assert other.email == "new@example.com"
    assert above.email == "root@example.com"


def test_nobody_edits_or_deletes_a_role() -> None:
    group = role("approver")
    before = set(group.permissions.all())
    every = [permission.pk for permission in Permission.objects.all()]
    client = browser(root())

    url = f"{GROUPS}{group.pk}"
    assert client.get(f"{url}/change/").status_code == 200
    assert client.post(f"{url}/change/", {"permissions": every}).status_code == 403
    assert client.post(f"{url}/delete/", {"post": "yes"}).status_code == 403

    assert set(group.permissions.all()) == before


def test_who_is_no_administrator_widens_no_group(keeper: User, managers: Group) -> None:
    every = [permission.pk for permission in Permission.objects.all()]

    browser(keeper).post(f"{GROUPS}{managers.pk}/change/", {"permissions": every})

    assert not managers.permissions.exists()
