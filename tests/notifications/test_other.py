"""Apprise's services, by a real one of them: JSON to a web server of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from pytest_django import Settings

from governance.models import User
from notifications.jobs import publish_events, send_due
from notifications.models import Delivery, Place
from tests.cast import AgentClient
from tests.notifications import webserver
from tests.notifications.webserver import Answer, WebServer

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.usefixtures("refund_rules", "alice"),
    # Apprise's own words, at import.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise"),
]


@pytest.fixture
def service(settings: Settings, managers: Group) -> Iterator[WebServer]:
    with webserver.running() as server:
        settings.APPRISE_URLS = {"desk": f"json://127.0.0.1:{server.port}/desk"}
        Place.objects.create(
            title="Desk", channel="other", address="desk", group=managers
        )
        yield server


def told(api: AgentClient) -> Delivery:
    api.submit(reason="@everyone <!channel> free money")
    publish_events()
    send_due()
    return Delivery.objects.get(channel="other")


def test_a_groups_service_hears_what_the_group_is_asked(
    api: AgentClient, service: WebServer
) -> None:
    delivery = told(api)

    [call] = service.calls
    body = json.loads(call.body)
    assert body["title"] == "Approval needed"
    assert "refund.create, by refund-bot" in body["message"]
    assert "/admin/approvals/approvalrequest/" in body["message"]
    assert "everyone" not in call.body.decode()
    assert "C-7" not in call.body.decode()
    assert (delivery.state, delivery.reader) == (Delivery.State.SENT, "Desk")


def test_a_service_that_refuses_is_tried_again(
    api: AgentClient, service: WebServer
) -> None:
    service.answer = lambda call: Answer(500)
    delivery = told(api)

    assert delivery.state == Delivery.State.WAITING
    assert delivery.error == "The service did not take it."


@pytest.mark.parametrize("urls", [{}, {"desk": "nonsense"}, {"desk": "nosuch://x"}])
def test_a_service_that_is_not_there_says_so(
    api: AgentClient, service: WebServer, settings: Settings, urls: dict[str, str]
) -> None:
    settings.APPRISE_URLS = urls
    delivery = told(api)

    assert delivery.state == Delivery.State.WAITING
    assert "APPRISE_URLS has no service desk that works." in delivery.error


def test_who_is_decided_on_meanwhile_is_not_posted(
    api: AgentClient, service: WebServer, alice: User
) -> None:
    from approvals import services
    from approvals.models import ApprovalRequest, Vote

    api.submit()
    publish_events()
    request = ApprovalRequest.objects.get()
    services.decide(request, alice, Vote.Verdict.APPROVE, digest=request.digest)
    send_due()

    assert service.calls == []
