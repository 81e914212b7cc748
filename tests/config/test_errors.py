"""The pages that say no: what is wrong, and where to go from there."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.backends import db as sessions
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client

from approvals.models import ApprovalRequest, Vote
from governance.models import User
from tests.approvals.factories import QUEUE, form_for, page_of
from tests.cast import AgentClient

HERE = "http://testserver"
MESSAGE = "\N{RIGHT-TO-LEFT OVERRIDE}Less, <b>please</b>."


def of_a_page(answer: Any) -> str:
    """Return what the page says, which is never one of Django's own."""
    text: str = answer.content.decode()
    assert "countersign/errors.css" in text
    assert answer["Cache-Control"] == "no-store"
    return text


# Forms that are older than the login


def stale(
    person: User | None, request: ApprovalRequest, **headers: str
) -> HttpResponse:
    """Send the form of the review page as it was before somebody logged in again."""
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "x" * 32
    if person:
        client.force_login(person, "django.contrib.auth.backends.ModelBackend")
    form = {**form_for(request, comment=MESSAGE), "csrfmiddlewaretoken": "y" * 32}
    return client.post(page_of(request), form, headers=headers)  # type: ignore[return-value]


def test_a_form_from_before_the_login_leads_back_and_keeps_the_comment(
    refund: ApprovalRequest, alice: User
) -> None:
    answer = stale(alice, refund, Referer=f"{HERE}{page_of(refund)}?a=1")

    assert answer.status_code == 403
    said = of_a_page(answer)
    assert "You have logged in again" in said
    assert f'<a href="{page_of(refund)}?a=1">Look at it once more</a>' in said
    assert "⟨U+202E⟩Less, &lt;b&gt;please&lt;/b&gt;." in said
    assert not Vote.objects.exists()


def test_it_leads_to_no_other_host(refund: ApprovalRequest, alice: User) -> None:
    said = of_a_page(stale(alice, refund, Referer=f"{HERE}//evil.example/"))

    assert '<a href="/evil.example/">' in said


def test_without_a_login_it_leads_there_and_back(refund: ApprovalRequest) -> None:
    said = of_a_page(stale(None, refund, Referer=f"{HERE}{page_of(refund)}"))

    assert "You have been logged out" in said
    back = page_of(refund).replace("/", "%2F")
    assert f'<a href="/admin/login/?next={back}">Log in again</a>' in said


@pytest.mark.parametrize(
    "referer", ["", "http://evil.example/", "javascript:alert(1)", "//evil.example"]
)
def test_what_came_from_elsewhere_is_not_shown(
    refund: ApprovalRequest, alice: User, referer: str
) -> None:
    said = of_a_page(stale(alice, refund, Referer=referer))

    assert "Less" not in said
    assert "evil" not in said
    assert '<a href="/admin/">Look at it once more</a>' in said


# What one may not open, what there is not, and what went wrong


def visit(person: User | None, path: str, **form: str) -> HttpResponse:
    client = Client(raise_request_exception=False)
    if person:
        client.force_login(person, "django.contrib.auth.backends.ModelBackend")
    return client.post(path, form) if form else client.get(path)  # type: ignore[return-value]


def test_whose_group_is_gone_reads_why_and_keeps_what_they_wrote(
    refund: ApprovalRequest, alice: User
) -> None:
    alice.groups.clear()

    for answer in (visit(alice, QUEUE), visit(alice, page_of(refund))):
        assert answer.status_code == 403
        said = of_a_page(answer)
        assert "alice has no right to this page" in said
        assert '<a href="/admin/">Overview</a>' in said
    answer = visit(alice, page_of(refund), **form_for(refund, comment=MESSAGE))
    assert answer.status_code == 403
    assert "⟨U+202E⟩Less, &lt;b&gt;please" in of_a_page(answer)


def test_a_refusal_of_our_own_is_said(
    refund: ApprovalRequest, alice: User, carol: User
) -> None:
    answer = visit(alice, f"{QUEUE}?show=all&care=quick:carol")

    assert "is shown to those who lead them." in of_a_page(answer)


def test_nothing_there(alice: User) -> None:
    answer = visit(None, "/nowhere/")

    assert answer.status_code == 404
    assert "There is nothing here" in of_a_page(answer)


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (ValueError("secret"), 500, "Something went wrong"),
        (OperationalError("secret"), 503, "The database does not answer"),
    ],
)
def test_a_fault_is_said_without_the_database(
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
    status: int,
    words: str,
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise fault

    monkeypatch.setattr(sessions.SessionStore, "load", fail)
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = "x" * 32
    answer = client.get("/admin/")

    assert answer.status_code == status
    said = of_a_page(answer)
    assert words in said
    assert "secret" not in said
    assert answer.headers.get("Retry-After") == ("2" if status == 503 else None)


def test_what_cannot_be_read(alice: User) -> None:
    client = Client(raise_request_exception=False)
    answer = client.post("/admin/login/", {f"f{n}": "" for n in range(1001)})

    assert answer.status_code == 400
    assert "This cannot be read" in of_a_page(answer)


@pytest.mark.parametrize("path", ["/api/nowhere", "/api/v1/actions/nowhere"])
def test_below_the_api_it_stays_json(path: str, api: AgentClient) -> None:
    answer = api.client.get(path, headers=api.headers)

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"
