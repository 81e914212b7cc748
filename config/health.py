"""Is this process up, and could it answer a real request?"""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

_seen_migrated = False


def healthz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    try:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _migrated():
            return _not_ready("There are migrations to apply: run manage.py migrate.")
    except DatabaseError:
        return _not_ready("The database does not answer.")
    return JsonResponse({"status": "ok"})


def unapplied() -> int:
    """Return how many migrations the database still lacks."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _migrated() -> bool:
    """Look it up until it is true; from then on it stays so."""
    global _seen_migrated
    _seen_migrated = _seen_migrated or unapplied() == 0
    return _seen_migrated


def _not_ready(detail: str) -> HttpResponse:
    problem = {
        "type": "about:blank",
        "title": "Not ready",
        "status": 503,
        "code": "not_ready",
        "detail": detail,
    }
    return JsonResponse(problem, status=503, content_type="application/problem+json")
