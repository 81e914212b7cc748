"""Which credential opens which door? Every address there is, with every kind of key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from governance import services
from governance.models import Action, Agent, Event, User

pytestmark = pytest.mark.django_db
PUBLIC = {
    "/",
    "/favicon.ico",
    "/healthz",
    "/readyz",
    "/metrics",
    "/schemas/policy-file.json",
    # Open to whoever can sign like Slack.
    "/slack/interact",
    "/api/v1/schema",
    "/api/v1/docs",
}
FILLED = {"pk": "01939c9e-0000-7000-8000-000000000000"}


def addresses() -> Iterator[str]:
    """Every address of the URL configuration, with something in its gaps."""
    yield from sorted(set(_below("/", get_resolver().url_patterns)))


def _below(prefix: str, patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        route = str(pattern.pattern).removeprefix("^").replace("\\Z", "")
        path = prefix + route.removesuffix("$")
        if isinstance(pattern, URLResolver):
            yield from _below(path, pattern.url_patterns)
        elif "(?" not in path:
            for name in pattern.pattern.converters:
                for kind in ("str", "path", "int", "uuid", "slug"):
                    path = path.replace(f"<{kind}:{name}>", FILLED.get(name, "1"))
            yield path


CONSOLE = [path for path in addresses() if path.startswith("/admin/")]
API = [p for p in addresses() if p.startswith("/api/") and p not in PUBLIC]


def test_the_list_of_addresses_is_not_empty() -> None:
    assert len(CONSOLE) > 50
    assert len(API) >= 5
    assert {p for p in addresses() if not p.startswith(("/admin/", "/api/"))} <= PUBLIC


@pytest.mark.parametrize("path", CONSOLE)
def test_an_agents_key_does_not_open_the_console(agent: Agent, path: str) -> None:
    key = services.issue_key(agent)
    events = Event.objects.count()
    client = Client(headers={"Authorization": f"Bearer {key}"})

    for method in (client.get, client.post):
        answer = method(path)
        login = answer.status_code == 302 and "login" in answer["Location"]
        is_the_door = path in ("/admin/login/", "/admin/logout/", "/admin/jsi18n/")
        assert login or is_the_door or answer.status_code in (403, 404, 405), path
    assert Event.objects.count() == events


@pytest.mark.parametrize("path", API)
@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_a_session_does_not_open_the_api(
    admin_user: User, path: str, method: str
) -> None:
    client = Client()
    client.force_login(admin_user)
    answer = getattr(client, method)(path)

    assert answer.status_code == 401
    assert not Action.objects.exists()


@pytest.mark.parametrize("path", ["/admin/login/", "/healthz", "/api/v1/docs"])
def test_pages_cannot_be_framed(path: str) -> None:
    answer = Client().get(path)

    assert answer["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    scripts = answer["Content-Security-Policy"].split("script-src")[1].split(";")[0]
    assert "unsafe-inline" not in scripts
