"""Is the OpenAPI document true? Every answer is held against it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from approvals import services
from approvals.models import Vote
from approvals.services import review
from governance.models import User
from tests.cast import AgentClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def document() -> dict[str, Any]:
    response = Client().get("/api/v1/schema")
    assert response.status_code == 200
    found: dict[str, Any] = json.loads(response.content)
    return found


def check(document: dict[str, Any], name: str, answer: object) -> None:
    resource = DRAFT202012.create_resource(document)
    registry: Registry[Any] = Registry().with_resource("urn:api", resource)
    reference = {"$ref": f"urn:api#/components/schemas/{name}"}
    Draft202012Validator(reference, registry=registry).validate(answer)


def test_it_is_open_api_3_1_and_names_every_call(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/api/v1/actions",
        "/api/v1/actions/{id}",
        "/api/v1/actions/{id}/cancel",
        "/api/v1/actions/{id}/consume",
        "/api/v1/actions/{id}/revise",
        "/api/v1/actions/{id}/outcome",
    }
    for path in document["paths"].values():
        for operation in path.values():
            assert {"401", "404", "503"} <= set(operation["responses"])
            assert operation["security"] == [{"agentKey": []}]


def test_every_answer_has_the_documented_shape(
    document: dict[str, Any], api: AgentClient, refund_rules: None, alice: User
) -> None:
    order = {"type": "order", "id": "A-1001"}
    allowed = api.submit(20, resource=order, reason="Broken.", context={"x": 1})
    pending = api.submit(75)
    request = review.find(pending["id"])
    assert request
    digest = request.digest
    services.decide(
        request, alice, Vote.Verdict.APPROVE, digest=digest, conditions=["Today."]
    )
    approved = api.get(f"/actions/{pending['id']}").json()
    path = f"/actions/{allowed['id']}"
    spent = api.post(f"{path}/consume", {"digest": allowed["digest"]}).json()
    done = api.post(f"{path}/outcome", {"status": "failed", "detail": {"n": 1}}).json()
    blocked = api.post("/actions", {"action": "x.y", "params": {}}).json()

    for answer in (allowed, pending, approved, spent, done, blocked):
        check(document, "Action", answer)
    check(document, "Page", api.get("/actions").json())
    check(document, "Problem", api.get("/actions/nowhere").json())


def test_an_undocumented_field_would_be_noticed(
    document: dict[str, Any], api: AgentClient
) -> None:
    answer = api.post("/actions", {"action": "x.y", "params": {}}).json()

    documented = document["components"]["schemas"]["Action"]
    assert set(answer) == set(documented["properties"])
    assert set(documented["required"]) == set(answer)


def test_the_documentation_needs_nothing_from_outside() -> None:
    page = Client().get("/api/v1/docs").content.decode()

    assert "https://" not in page
    assert "http://" not in page.replace("http://testserver", "")
