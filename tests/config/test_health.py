"""Health: a load balancer learns when to send requests here."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import RequestFactory

from config import health

requests = RequestFactory()


def test_the_process_is_up_without_a_database() -> None:
    assert health.healthz(requests.get("/healthz")).status_code == 200


@pytest.mark.django_db
def test_it_is_ready_when_the_database_is_migrated() -> None:
    assert health.readyz(requests.get("/readyz")).status_code == 200


@pytest.mark.django_db
def test_it_is_not_ready_before_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_seen_migrated", False)
    MigrationRecorder(connection).record_unapplied("notifications", "0001_initial")

    response = health.readyz(requests.get("/readyz"))
    assert response.status_code == 503
    assert response["Content-Type"] == "application/problem+json"
    assert json.loads(response.content)["code"] == "not_ready"
