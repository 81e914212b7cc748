"""A person's own notifications: theirs alone, and read when they say so."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from approvals import services
from approvals.models import ApprovalRequest, Vote
from governance.models import Agent, User
from notifications import badges
from notifications.jobs import publish_events
from notifications.models import Delivery
from tests.cast import AgentClient, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]

MINE = "/admin/notifications/delivery/mine/"
READ = "/admin/notifications/delivery/mine/read/"


def page(person: User) -> str:
    client = Client()
    client.force_login(person)
    return client.get(MINE).content.decode()


def badge(person: User) -> int:
    request = RequestFactory().get("/")
    request.user = person
    return badges.unread(request)


def publish(api: AgentClient, number: int = 1, **params: Any) -> None:
    for each in range(number):
        api.submit(params={"customer_id": f"C-{each}", **params})
    publish_events()


def read(person: User, newest: object) -> int:
    client = Client()
    client.force_login(person)
    return client.post(READ, {"newest": newest}).status_code


def test_it_lists_what_happened_with_a_link(api: AgentClient, alice: User) -> None:
    publish(api)
    request = ApprovalRequest.objects.get()

    html = page(alice)
    assert "Approval needed" in html
    assert "Refund 75 USD to customer C-0" in html
    link = reverse("admin:approvals_approvalrequest_change", args=[request.pk])
    assert link in html


def test_a_later_revision_changes_no_earlier_notice(
    api: AgentClient, agent: Agent, alice: User
) -> None:
    publish(api)
    first = ApprovalRequest.objects.get()
    services.decide(first, alice, Vote.Verdict.REQUEST_CHANGES, digest=first.digest)
    changed = {"params": {**first.params, "customer_id": "C-9"}}
    services.revise(first.action_id, agent, changed)
    publish_events()

    html = page(alice)
    assert html.count("Refund 75 USD to customer C-0") == 1
    assert html.count("Refund 75 USD to customer C-9") == 1


def test_it_shows_only_ones_own(api: AgentClient, alice: User, carol: User) -> None:
    publish(api)

    assert "Refund 75 USD" not in page(carol)
    assert badge(carol) == 0


def test_looking_does_not_mark_anything_read(api: AgentClient, alice: User) -> None:
    publish(api)
    page(alice)

    assert badge(alice) == 1


def test_what_the_page_showed_is_marked_read(
    api: AgentClient, alice: User, bob: User
) -> None:
    publish(api)
    shown = Delivery.objects.unread(alice).get()
    publish(api, params={"customer_id": "C-9"})

    assert read(alice, shown.pk) == 302
    assert badge(alice) == 1
    assert badge(bob) == 2


@pytest.mark.parametrize("newest", ["", "x", "-1", "9" * 30, "9" * 5000])
def test_nonsense_is_harmless(api: AgentClient, alice: User, newest: str) -> None:
    publish(api)
    assert read(alice, newest) == 302


def test_only_a_post_marks_as_read(api: AgentClient, alice: User) -> None:
    publish(api)
    client = Client()
    client.force_login(alice)

    assert client.get(READ).status_code == 405
    assert badge(alice) == 1


def test_it_takes_a_form_of_ours(api: AgentClient, alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)

    assert client.post(READ, {"newest": 1}).status_code == 403


def test_strangers_are_sent_to_the_login(client: Client, db: None) -> None:
    assert client.get(MINE).status_code == 302
    assert client.post(READ).status_code == 302


def test_hostile_words_stay_words(api: AgentClient, alice: User) -> None:
    publish(api, order_id="<script>alert(1)</script>\u202e")

    html = page(alice)
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "⟨U+202E⟩" in html


def test_the_number_of_queries_does_not_grow(
    api: AgentClient, alice: User, django_assert_max_num_queries: Any
) -> None:
    client = Client()
    client.force_login(alice)
    publish(api)
    with django_assert_max_num_queries(40) as one:
        client.get(MINE)
    enough = len(one)
    publish(api, 10)

    with django_assert_max_num_queries(enough):
        client.get(MINE)


def test_a_long_list_has_pages(api: AgentClient, alice: User) -> None:
    publish(api, 51)

    html = page(alice)
    assert "Page 1 of 2" in html
    assert html.count("Refund 75 USD") == 50


def test_administrators_see_every_delivery_and_change_none(
    api: AgentClient, alice: User
) -> None:
    publish(api)
    mail = Delivery.objects.get(channel="email")
    client = Client()
    client.force_login(make_user("root", is_superuser=True))

    listed = client.get("/admin/notifications/delivery/").content.decode()
    assert "Refund 75 USD" in listed
    one = f"/admin/notifications/delivery/{mail.pk}"
    assert client.get(f"{one}/change/").status_code == 200
    assert client.post(f"{one}/change/", {"state": "sent"}).status_code == 403
    assert client.post(f"{one}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/notifications/delivery/add/").status_code == 403


def test_others_do_not_see_who_was_told(api: AgentClient, alice: User) -> None:
    client = Client()
    client.force_login(alice)

    assert client.get("/admin/notifications/delivery/").status_code == 403
