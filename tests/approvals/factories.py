"""What tests of the console and the services need, made the way agents make it."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from approvals import services
from approvals.models import ApprovalRequest
from approvals.services import Proposal
from governance.models import Agent, User
from tests.cast import REFUND

QUEUE = "/admin/approvals/approvalrequest/"


def make_request(
    agent: Agent,
    amount: object = 75,
    *,
    reason: str = "",
    context: dict[str, Any] | None = None,
    **params: Any,
) -> ApprovalRequest:
    """Submit a refund that needs people, and return what they are asked."""
    params = {**REFUND, "amount": amount, **params}
    resource = {"type": "order", "id": str(params["order_id"])}
    proposal = Proposal("refund.create", params, resource, reason, context or {})
    course, _ = services.submit(agent, proposal)
    assert course.request is not None
    return course.request


def browser(person: User) -> Client:
    """Return a browser in which this person is logged in."""
    client = Client(raise_request_exception=False)
    client.force_login(person, "django.contrib.auth.backends.ModelBackend")
    return client


def page_of(request: ApprovalRequest) -> str:
    return reverse("admin:approvals_approvalrequest_change", args=[request.pk])


def form_for(
    shown: ApprovalRequest, verdict: str = "approve", /, **fields: Any
) -> dict[str, Any]:
    """Return what the page's form sends."""
    return {
        "request": str(shown.pk),
        "digest": shown.digest,
        "verdict": verdict,
        "comment": "",
        "conditions": "",
        "confirmed": "on",
        **fields,
    }
