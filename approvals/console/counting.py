"""How long are these lists? In one statement, and counted no further than people care."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import IntegerField, QuerySet, Subquery

from governance.models import User

MOST = 1_000


class _Length(Subquery):
    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()
    # A list that can have nothing on it has a length all the same.
    empty_result_set_value = 0


def lengths(
    user: User, lists: Mapping[str, QuerySet[Any]], most: int = MOST
) -> dict[str, int]:
    """Return how much is on each list, by its name: ``most + 1`` stands for more."""
    counts = {
        f"n{at}": _Length(rows.order_by().values("pk")[: most + 1])
        for at, rows in enumerate(lists.values())
    }
    found = User.objects.filter(pk=user.pk).order_by().values_list(*counts.values())
    return dict(zip(lists, found.get(), strict=True))


def shown(count: int) -> str:
    """Say a count as it is shown: empty for none, ``1,000+`` for what was not counted."""
    if not count:
        return ""
    return f"{MOST:,}+" if count > MOST else f"{count:,}"
