"""The pages that say no: what is wrong, and where to go from there."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client

from approvals.models import ApprovalRequest, Vote
from governance.models import User
from tests.approvals.factories import form_for, page_of

HERE = "http://testserver"
MESSAGE = "\N{RIGHT-TO-LEFT OVERRIDE}Less, <b>please</b>."


def of_a_page(answer: HttpResponse) -> str:
    """Return what the page says, which is never one of Django's own."""
    text = answer.content.decode()
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
