"""Puts refunds on record as if agents had asked for them: ``python -m bench.records N DAYS``.

A third as many customers as refunds, and of ten refunds seven that went through.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

import django

BATCH = 2_000
AMOUNTS = (19.99, 49, 75, 120, 250, 999)
STATUSES = ("succeeded",) * 7 + ("rejected", "expired", "blocked")


def fill(count: int, days: int) -> None:
    from governance import clock, services
    from governance.models import Action, Agent

    agent = Agent.objects.first() or services.create_agent("bench-bot")
    now = clock.now()
    rows = (Action(agent=agent, **values) for values in records(count, days, now))
    while batch := list(islice(rows, BATCH)):
        Action.objects.bulk_create(batch)


def records(count: int, days: int, now: datetime) -> Iterator[dict[str, object]]:
    chance = random.Random(1)  # noqa: S311
    for number in range(count):
        at = now - timedelta(days=days) * (1 - number / count)
        amount = chance.choice(AMOUNTS)
        yield {
            "id": UUID(
                int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | number
            ),
            "name": "refund.create",
            "params": {
                "order_id": f"A-{number}",
                "customer_id": f"C-{chance.randrange(max(1, count // 3))}",
                "amount": amount,
                "currency": chance.choice(("USD", "EUR")),
            },
            "resource": {"type": "order", "id": f"A-{number}"},
            "context": {"order_total": 1290, "note": "Cracked on arrival."},
            "digest": "sha256:" + "0" * 64,
            "summary": f"Refund {amount} for order A-{number}",
            "decision": "ALLOW" if amount < 50 else "REQUIRE_APPROVAL",
            "status": chance.choice(STATUSES),
            "created_at": at,
            "judged_at": at,
            "updated_at": at,
            "settled_at": at + timedelta(minutes=5),
            "grant_expires_at": at + timedelta(hours=1),
        }


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    fill(int(sys.argv[1]), int(sys.argv[2]))
