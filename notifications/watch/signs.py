"""What does not go on by itself at this moment? Read from the rows, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min

from governance.models import Action, PendingEvent
from notifications.models import CHANNELS, Delivery
from notifications.wording import count

# What takes longer than this is not on its way, but stuck.
PATIENCE = timedelta(minutes=2)
# Retries are booked ahead, so that what is overdue was not even tried.
OVERDUE = timedelta(minutes=5)
# What was given up counts for a day.
RECENT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that is wrong. The words may change while it lasts."""

    kind: str
    subject: str
    words: str

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.subject


def signs(at: datetime) -> Iterator[Sign]:
    """Yield what is wrong now. A handful of statements, each on an index."""
    yield from _unpublished(at)
    yield from _overdue(at)
    yield from _given_up(at)
    yield from _unsettled(at)


def _unpublished(at: datetime) -> Iterator[Sign]:
    """Events that nobody was told of: rows go in, and nothing takes them out."""
    oldest = PendingEvent.objects.aggregate(at=Min("event__at"))["at"]
    if oldest and oldest < at - PATIENCE:
        yield Sign(
            "unpublished",
            "",
            f"Events wait since {_minutes(at - oldest)} to be told to people.",
        )


def _overdue(at: datetime) -> Iterator[Sign]:
    late = Delivery.objects.due(at - OVERDUE).order_by()
    for channel, number in late.values_list("channel").annotate(Count("pk")):
        name = CHANNELS.get(channel, channel)
        yield Sign(
            "undelivered",
            channel,
            f"{name}: {count(number, 'message')} not even tried for "
            f"{_minutes(OVERDUE)}.",
        )


def _given_up(at: datetime) -> Iterator[Sign]:
    """What was given up since the channel last worked: one address is not a channel."""
    failed = Delivery.objects.filter(
        state=Delivery.State.FAILED, event__at__gte=at - RECENT
    )
    rows = failed.order_by().values("channel").annotate(n=Count("pk"), last=Max("pk"))
    for row in rows:
        sent = Delivery.objects.filter(
            channel=row["channel"], state=Delivery.State.SENT, pk__gt=row["last"]
        )
        if not sent.exists():
            name = CHANNELS.get(row["channel"], row["channel"])
            yield Sign(
                "given_up",
                row["channel"],
                f"{name}: {count(row['n'], 'message')} could not be delivered, "
                "and none was since.",
            )


def _unsettled(at: datetime) -> Iterator[Sign]:
    late = Action.objects.overdue(at - PATIENCE).count()
    if late:
        yield Sign(
            "unsettled",
            "",
            f"{count(late, 'request')} past a deadline, or a mark, that nobody acted on.",
        )


def _minutes(span: timedelta) -> str:
    return count(round(span.total_seconds() / 60), "minute")
