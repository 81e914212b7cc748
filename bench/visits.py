"""Visits pages of the console and says how long each takes: ``python -m bench.visits``.

In one process, without a network: session, rights, queries and templates are in it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from statistics import median
from typing import Any

import django

QUEUE = "/admin/approvals/approvalrequest/"
# What is measured. A line more here is a figure more in the table.
PAGES = {
    "queue": QUEUE,
    "queue, what others wait for": f"{QUEUE}?show=waiting",
    "queue, overdue": f"{QUEUE}?show=overdue",
    "queue, decided by me": f"{QUEUE}?show=decided",
    "queue, everything": f"{QUEUE}?show=all",
    "queue, searched": f"{QUEUE}?q=C-77",
    "dashboard of one group": "/admin/dashboard/?period=30",
}
# The same for whoever sees all requests.
DASHBOARD = {
    f"dashboard, {title}": f"/admin/dashboard/?period={period}"
    for period, title in (("today", "today"), ("30", "30 days"), ("90", "90 days"))
}
VISITOR = "manager-1"
AUDITOR = "auditor"
VISITS = 15


def visit() -> dict[str, float]:
    """Return the median time of each page in milliseconds."""
    from django.conf import settings

    settings.ALLOWED_HOSTS = ["testserver"]
    _count_what_is_over()
    return {**_visits(VISITOR, PAGES), **_visits(AUDITOR, DASHBOARD)}


def _count_what_is_over() -> None:
    """Do what the worker has done by the time that somebody looks."""
    from approvals import jobs
    from governance.models import User

    User.objects.get_or_create(username=AUDITOR, is_staff=True, is_superuser=True)
    while jobs.keep_days():
        pass


def _visits(username: str, pages: dict[str, str]) -> dict[str, float]:
    from django.test import Client

    from governance.models import User

    client = Client()
    visitor = User.objects.get(username=username)
    client.force_login(visitor, "django.contrib.auth.backends.ModelBackend")
    return {name: median(_times(client, page)) for name, page in pages.items()}


def _times(client: Any, page: str) -> list[float]:
    _time(client, page)
    return [_time(client, page) for _ in range(VISITS)]


def _time(client: Any, page: str) -> float:
    began = time.perf_counter()
    answer = client.get(page)
    assert answer.status_code == 200, (page, answer.status_code)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    sys.stdout.write(json.dumps(visit()))
