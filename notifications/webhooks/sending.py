"""From messages to agents: which attempt is ours, and how did it end?

An attempt is noted and the next one booked before it is made: a worker that dies over
it delays the message, and loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from governance import clock, ledger
from governance.ledger import SYSTEM, Kind
from governance.text_safety import visible_line
from notifications.webhooks import keeping, signing, wire
from notifications.webhooks.models import (
    ALARM_AGAIN,
    LONGEST,
    MANY_FAILURES,
    Webhook,
    WebhookAttempt,
    WebhookMessage,
    patience,
)
from notifications.webhooks.wire import Answer

GONE = 410
LONGEST_ERROR = 300
# Whoever asks for more is asked again after this long all the same.
LONGEST_WAIT = timedelta(days=1)
DIED = "No attempt came to an end."
TOO_LATE = f"It could not be delivered within {LONGEST.days} days."


@dataclass(frozen=True, slots=True)
class Post:
    """One attempt that is ours to make. Making it needs no database."""

    message: WebhookMessage
    attempt: WebhookAttempt

    def send(self) -> Answer:
        """Return what the receiver says, or raise why it says nothing."""
        message = self.message
        headers = signing.headers(message.webhook, message, self.attempt.at)
        return wire.post(message.webhook.url, message.body.encode(), headers)


def take(webhook: Webhook) -> Post | None:
    """Claim the next attempt for a webhook, or return None when nothing is due."""
    while message := _next(webhook):
        if message.is_exhausted():
            # Every worker that took it died over it.
            give_up(message, message.error or DIED)
        elif attempt := _claim(message):
            return Post(message, attempt)
    return None


def _next(webhook: Webhook) -> WebhookMessage | None:
    rows = WebhookMessage.objects.due(clock.now()).filter(webhook=webhook)
    rows = rows.filter(webhook__active=True)
    rows = rows.select_related("webhook__agent", "event__action")
    return rows.order_by("next_attempt_at", "pk").first()


@transaction.atomic
def _claim(message: WebhookMessage) -> WebhookAttempt | None:
    at = clock.now()
    if not WebhookMessage.objects.claim(message, at):
        return None
    message.attempts += 1
    return WebhookAttempt.objects.create(message=message, at=at)


@transaction.atomic
def succeed(post: Post, answer: Answer) -> None:
    """Note that the receiver has it, even if we had given up on it meanwhile."""
    at, message = clock.now(), post.message
    _note(post, at, answer=answer)
    _recover(message.webhook, at)
    rows = WebhookMessage.objects.filter(pk=message.pk)
    unsent = rows.exclude(state=WebhookMessage.State.SENT)
    if unsent.update(state=WebhookMessage.State.SENT, sent_at=at, error=""):
        record(Kind.WEBHOOK_SENT, message, at, attempts=message.attempts)


@transaction.atomic
def fail(post: Post, error: str, answer: Answer | None = None) -> None:
    """Note why it failed, and book the next attempt, unless it was the last."""
    at, message = clock.now(), post.message
    error = visible_line(error)[:LONGEST_ERROR]
    _note(post, at, error=error, answer=answer)
    if answer and answer.status == GONE:
        keeping.switch_off(message.webhook, "The receiver says that it is gone (410).")
        return
    asked = _asked_wait(answer, at)
    _tire(message.webhook, at, asked)
    if message.is_exhausted():
        give_up(message, error)
    else:
        _book(message, at + max(patience(message.attempts), asked), error)


def _book(message: WebhookMessage, at: datetime, error: str) -> None:
    """Unless another attempt has been made since, or it has ended otherwise."""
    rows = WebhookMessage.objects.waiting().filter(pk=message.pk)
    same = rows.filter(attempts=message.attempts)
    same.update(next_attempt_at=at, error=error)


@transaction.atomic
def give_up(message: WebhookMessage, error: str) -> None:
    """Leave it to people, who are told, and may have it sent again."""
    waiting = WebhookMessage.objects.waiting().filter(pk=message.pk)
    if waiting.update(state=WebhookMessage.State.FAILED, error=error):
        extra = {"attempts": message.attempts, "reason": error}
        at = clock.now()
        record(Kind.WEBHOOK_FAILED, message, at, **extra)
        _alarm(message.webhook, at, error)


def _alarm(webhook: Webhook, at: datetime, error: str) -> None:
    """Tell administrators: once, and once a day while nothing gets through."""
    rows = Webhook.objects.filter(pk=webhook.pk)
    quiet = rows.filter(Q(alarmed_at=None) | Q(alarmed_at__lte=at - ALARM_AGAIN))
    if quiet.update(alarmed_at=at):
        keeping.note(webhook, None, Kind.WEBHOOK_STUCK, reason=error)


def give_up_stale(limit: int = 100) -> int:
    """Give up on what has waited too long while its receiver was left alone."""
    stale = WebhookMessage.objects.stale(clock.now())
    rows = stale.select_related("webhook__agent", "event__action").order_by("pk")
    given_up = rows[:limit]
    for message in given_up:
        give_up(message, message.error or TOO_LATE)
    return len(given_up)


def _note(
    post: Post, at: datetime, *, error: str = "", answer: Answer | None = None
) -> None:
    attempt = post.attempt
    attempt.seconds = max(0.0, (at - attempt.at).total_seconds())
    attempt.error = error
    if answer:
        attempt.status, attempt.answer = answer.status, answer.words
    attempt.save(update_fields=["seconds", "status", "error", "answer"])


def _asked_wait(answer: Answer | None, at: datetime) -> timedelta:
    """Return how long the receiver asked to be left alone (RFC 9110, Retry-After)."""
    said = answer.retry_after.strip() if answer else ""
    if said.isdecimal():
        return min(timedelta(seconds=int(said[:9])), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(said)
    except (TypeError, ValueError):
        return timedelta(0)
    wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - at
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


def _tire(webhook: Webhook, at: datetime, asked: timedelta) -> None:
    """Count the failure. After many in a row, or when asked to, leave it alone."""
    rows = Webhook.objects.filter(pk=webhook.pk)
    rows.update(failures=F("failures") + 1)
    failures = rows.values_list("failures", flat=True).get()
    rest = Webhook(failures=failures).rest() or timedelta(0)
    if wait := max(rest, asked):
        rows.update(rests_until=at + wait)


def _recover(webhook: Webhook, at: datetime) -> None:
    """It answers again: after a long silence, all that waits for it is due at once."""
    rows = Webhook.objects.filter(pk=webhook.pk)
    if rows.filter(failures__gte=MANY_FAILURES).exists():
        waiting = WebhookMessage.objects.waiting().filter(webhook=webhook)
        waiting.idle(at).filter(next_attempt_at__gt=at).update(next_attempt_at=at)
    tired = rows.filter(Q(failures__gt=0) | Q(alarmed_at__isnull=False))
    tired.update(failures=0, rests_until=None, alarmed_at=None)


def record(kind: Kind, message: WebhookMessage, at: datetime, **data: Any) -> None:
    """Put what became of a message on record, with its action or else its agent."""
    event, webhook = message.event, message.webhook
    ledger.record(
        kind,
        at=at,
        actor=SYSTEM,
        action=event.action if event else None,
        agent=webhook.agent,
        stream="" if event else f"agent:{webhook.agent.name}",
        webhook=webhook.pk,
        host=webhook.host,
        message=message.key,
        type=message.type,
        **data,
    )
