"""What tests of the console's pages need: someone who may do everything, and a count."""

from __future__ import annotations

from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.models import User
from tests.cast import make_user


def browser(person: User) -> Client:
    """Return a browser in which this person is logged in."""
    client = Client()
    client.force_login(person, "django.contrib.auth.backends.ModelBackend")
    return client


def root(name: str = "root") -> User:
    return make_user(name, is_superuser=True)


def permit(user: User, *names: str) -> None:
    """Give a person permissions: governance.view_agent."""
    for name in names:
        app, codename = name.split(".")
        found = Permission.objects.get(content_type__app_label=app, codename=codename)
        user.user_permissions.add(found)


def queries(client: Client, url: str) -> list[str]:
    """Return the statements that a page costs, once everything is warm."""
    assert client.get(url).status_code == 200
    with CaptureQueriesContext(connection) as captured:
        client.get(url)
    return [query["sql"] for query in captured.captured_queries]
