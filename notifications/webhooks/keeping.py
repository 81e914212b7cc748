"""Every way a webhook can change. Each change is one event on the record.

Whether somebody may is asked behind the lock of their row, which whoever takes the
right away needs as well.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from governance import clock, ledger
from governance.errors import Refused
from governance.ledger import Kind
from governance.models import Agent, User
from governance.queue import nudge
from governance.services import by
from notifications.webhooks import addresses, messages, signing
from notifications.webhooks.models import Webhook, WebhookMessage

CHANGE = "notifications.change_webhook"
# For how long the secret before signs as well.
OVERLAP = timedelta(hours=24)
# More than an agent has any use for, and few enough to be told one after the other.
MOST = 10
_STATE = ("active", "disabled_at", "disabled_reason")


class MayNotKeepWebhooks(Refused):
    code = "may_not_keep_webhooks"
    status = 403


class WebhookKnown(Refused):
    code = "webhook_known"


class TooManyWebhooks(Refused):
    code = "too_many_webhooks"


class WebhookOff(Refused):
    code = "webhook_off"


class StillOnItsWay(Refused):
    code = "still_on_its_way"


@transaction.atomic
def set_up(agent: Agent, url: str, *, author: User) -> tuple[Webhook, str]:
    """Have an agent told at this address. Return the secret: it is shown only now."""
    _check_right(author)
    check_address(agent, url)
    if Webhook.objects.filter(agent=agent).count() >= MOST:
        raise TooManyWebhooks(f"{agent} has {MOST} webhooks. Change one of them.")
    secret = signing.new_secret()
    webhook = Webhook.objects.create(
        agent=agent, url=url, secret=signing.sealed(secret), created_at=clock.now()
    )
    note(webhook, author, changes={"address": {"old": None, "new": url}})
    return webhook, secret


@transaction.atomic
def move(webhook: Webhook, url: str, *, author: User) -> None:
    """Send what is due from now on to another address."""
    _check_right(author)
    webhook = _lock(webhook)
    if url == webhook.url:
        return
    check_address(webhook.agent, url)
    before, webhook.url = webhook.url, url
    webhook.failures, webhook.rests_until = 0, None
    webhook.save(update_fields=["url", "failures", "rests_until"])
    note(webhook, author, changes={"address": {"old": before, "new": url}})


@transaction.atomic
def rotate(webhook: Webhook, *, author: User) -> str:
    """Return a new secret, shown only now. The one before signs along for a day."""
    _check_right(author)
    webhook = _lock(webhook)
    secret = signing.new_secret()
    webhook.former_secret, webhook.secret = webhook.secret, signing.sealed(secret)
    webhook.former_until = clock.now() + OVERLAP
    webhook.save(update_fields=["secret", "former_secret", "former_until"])
    until = webhook.former_until.isoformat()
    note(webhook, author, rotated=True, former_until=until)
    return secret


@transaction.atomic
def switch_on(webhook: Webhook, *, author: User) -> None:
    _check_right(author)
    webhook = _lock(webhook)
    if webhook.active:
        return
    webhook.active, webhook.disabled_at, webhook.disabled_reason = True, None, ""
    webhook.failures, webhook.rests_until = 0, None
    webhook.save(update_fields=[*_STATE, "failures", "rests_until"])
    note(webhook, author, changes={"active": {"old": False, "new": True}})


@transaction.atomic
def switch_off(webhook: Webhook, reason: str, *, author: User | None = None) -> None:
    """Tell the agent nothing more there. What waits is given up, and can be replayed.

    Without an author it is the receiver's doing, and administrators are told.
    """
    if author:
        _check_right(author)
    webhook = _lock(webhook)
    if not webhook.active:
        return
    webhook.active, webhook.disabled_at = False, clock.now()
    webhook.disabled_reason = reason
    webhook.save(update_fields=_STATE)
    waiting = WebhookMessage.objects.waiting().filter(webhook=webhook)
    failed = WebhookMessage.State.FAILED
    given_up = waiting.update(state=failed, error=f"Switched off: {reason}")
    kind = Kind.WEBHOOK_CHANGED if author else Kind.WEBHOOK_DISABLED
    change = {"active": {"old": True, "new": False}}
    note(webhook, author, kind, changes=change, reason=reason, given_up=given_up)


@transaction.atomic
def replay(message: WebhookMessage, *, author: User) -> None:
    """Send one message again, under the id that it has."""
    _check_right(author)
    webhook = _lock(message.webhook)
    _check_on(webhook)
    rows = WebhookMessage.objects.filter(pk=message.pk)
    if not _send_again(rows.exclude(state=WebhookMessage.State.WAITING)):
        raise StillOnItsWay("It is still on its way: it needs no replay.")
    event = message.event
    ledger.record(
        Kind.WEBHOOK_REPLAYED,
        at=clock.now(),
        actor=by(author),
        action=event.action if event else None,
        agent=webhook.agent,
        stream="" if event else f"agent:{webhook.agent.name}",
        webhook=webhook.pk,
        message=message.key,
        type=message.type,
    )


@transaction.atomic
def replay_failed(webhook: Webhook, since: datetime, *, author: User) -> int:
    """Send again all that failed and was made since then. Return how many those are."""
    _check_right(author)
    webhook = _lock(webhook)
    _check_on(webhook)
    rows = WebhookMessage.objects.filter(webhook=webhook)
    count = _send_again(rows.failed_since(since))
    if count:
        note(
            webhook,
            author,
            Kind.WEBHOOK_REPLAYED,
            since=since.isoformat(),
            messages=count,
        )
    return count


@transaction.atomic
def send_test(webhook: Webhook, *, author: User) -> WebhookMessage:
    """Send a message that says nothing. Return it, to see what becomes of it."""
    _check_right(author)
    webhook = _lock(webhook)
    _check_on(webhook)
    message = messages.trial(webhook, clock.now())
    message.save(force_insert=True)
    note(webhook, author, test=message.key)
    nudge(messages.JOB)
    return message


def _lock(webhook: Webhook) -> Webhook:
    rows = Webhook.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("agent").get(pk=webhook.pk)


def _send_again(rows: Any) -> int:
    at = clock.now()
    state = WebhookMessage.State.WAITING
    fresh = {"attempts": 0, "queued_at": at, "next_attempt_at": at}
    count: int = rows.update(state=state, sent_at=None, error="", **fresh)
    nudge(messages.JOB)
    return count


def _check_right(author: User) -> None:
    rows = User.objects.select_for_update(no_key=True).filter(pk=author.pk)
    if not rows.get().has_perm(CHANGE):
        raise MayNotKeepWebhooks("You may not set up or change webhooks.")


def check_address(agent: Agent, url: str) -> None:
    addresses.read(url)
    if Webhook.objects.filter(agent=agent, url=url).exists():
        raise WebhookKnown(f"{agent} has a webhook at this address already.")


def _check_on(webhook: Webhook) -> None:
    if not webhook.active:
        raise WebhookOff("This webhook is switched off. Switch it on first.")


def note(
    webhook: Webhook,
    author: User | None,
    kind: Kind = Kind.WEBHOOK_CHANGED,
    **data: Any,
) -> None:
    ledger.record(
        kind,
        at=clock.now(),
        actor=by(author),
        agent=webhook.agent,
        stream=f"agent:{webhook.agent.name}",
        webhook=webhook.pk,
        host=webhook.host,
        **data,
    )
