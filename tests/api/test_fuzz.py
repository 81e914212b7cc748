"""Whatever is sent, the API never falls over and never strays from its document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from governance import services
from governance.models import Action, Agent
from tests.cast import AgentClient

pytestmark = pytest.mark.django_db
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    ("POST", "/api/v1/actions"),
    ("GET", "/api/v1/actions"),
    ("GET", "/api/v1/actions/{id}"),
    ("POST", "/api/v1/actions/{id}/cancel"),
    ("POST", "/api/v1/actions/{id}/consume"),
    ("POST", "/api/v1/actions/{id}/outcome"),
]


@pytest.fixture
def asked(api: AgentClient, refund_rules: None) -> Any:
    """An action that is there."""
    return api.submit(75)


@pytest.fixture(autouse=True)
def _one_connection(asked: Any) -> Iterator[None]:
    """Keep the test's transaction open over many requests, as Django's client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_it_answers_as_documented(
    agent: Agent, asked: Any, method: str, path: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema", get_wsgi_application())
    operation = schema[path][method]
    key = services.issue_key(agent)
    tried: list[Any] = []

    headers = {"Authorization": f"Bearer {key}"}

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=60,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Any) -> None:
        case.query.pop("wait", None)
        if case.path_parameters and len(tried) % 2:
            case.path_parameters["id"] = asked["id"]
        tried.append(case.call_and_validate(headers=headers, checks=CHECKS))

    check()
    assert len(tried) >= 20
    assert not Action.objects.filter(status="allowed", name="refund.create").exists()
