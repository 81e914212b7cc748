"""Telling people: what is on its way to whom, and how far it has come."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import F, Q

from governance.models import Action, Event, User
from notifications.phrasing.models import Phrase
from notifications.routing.models import (
    CHANNELS,
    EMAIL,
    IN_APP,
    OTHER,
    PERSONAL,
    SLACK,
    SMS,
    Place,
    Preference,
    Rota,
    Rule,
    SlackAccount,
    Turn,
)
from notifications.slack.models import Spent
from notifications.watch.models import Trouble
from notifications.webhooks.models import Webhook, WebhookAttempt, WebhookMessage

__all__ = [
    "CHANNELS",
    "EMAIL",
    "IN_APP",
    "OTHER",
    "PERSONAL",
    "SLACK",
    "SMS",
    "TRANSPORTS",
    "Delivery",
    "DeliveryAttempt",
    "Phrase",
    "Place",
    "Preference",
    "Rota",
    "Rule",
    "SlackAccount",
    "Spent",
    "Trouble",
    "Turn",
    "Webhook",
    "WebhookAttempt",
    "WebhookMessage",
]

TRANSPORTS = {
    SLACK: "notifications.transports.slack.Slack",
    SMS: "notifications.transports.sms.Sms",
    OTHER: "notifications.transports.other.Other",
    EMAIL: "notifications.transports.email.Email",
}


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, at: datetime) -> Self:
        """What is to be attempted by now, longest due first."""
        waiting = self.filter(state=Delivery.State.WAITING, next_attempt_at__lte=at)
        return waiting.order_by("next_attempt_at")

    def in_app(self, person: User) -> Self:
        return self.filter(person=person, channel=IN_APP)

    def unread(self, person: User) -> Self:
        return self.in_app(person).filter(read_at=None)

    def about(self, action: Action) -> Self:
        return self.filter(event__action=action)

    def claim(self, delivery: Delivery, at: datetime) -> bool:
        """Take this attempt. False when another worker already has it.

        The next attempt is booked before this one starts, so a worker that dies
        half-way loses nothing but time.
        """
        same = self.due(at).filter(pk=delivery.pk, attempts=delivery.attempts)
        taken = same.order_by().update(
            attempts=F("attempts") + 1, next_attempt_at=at + delivery.patience()
        )
        return taken == 1


class Delivery(models.Model):
    """One message on one channel, to one person or to a place where several look.

    In the console the row is the message; on every other channel a transport sends it.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"
        # By the time it could be sent, its reader was no longer asked.
        DROPPED = "dropped"

    MAX_ATTEMPTS = 8

    event = models.ForeignKey(Event, models.PROTECT, related_name="deliveries")
    channel = models.CharField(max_length=20)
    person = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="deliveries"
    )
    place = models.ForeignKey(
        Place, models.SET_NULL, null=True, related_name="deliveries"
    )
    # Where a place was, for after it has gone.
    address = models.CharField(max_length=200, blank=True)
    # The message it brings up to date, where a channel can do that.
    edits = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="edited_by"
    )
    # What the provider calls the message that was sent.
    reference = models.CharField(max_length=200, blank=True)
    # Sent together with others of its kind that are due at the same time.
    digest = models.BooleanField(default=False)
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ["view"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                name="delivery_once",
                fields=["event", "channel", "person"],
                condition=Q(edits=None),
            ),
            models.UniqueConstraint(
                name="delivery_once_to_a_place",
                fields=["event", "place"],
                condition=Q(edits=None),
            ),
            models.UniqueConstraint(
                name="delivery_edited_once", fields=["event", "edits"]
            ),
            models.CheckConstraint(
                name="delivery_has_a_reader",
                condition=Q(person__isnull=False, address="")
                | Q(person=None) & ~Q(address=""),
            ),
            models.CheckConstraint(
                name="delivery_state_is_known",
                condition=Q(state__in=["waiting", "sent", "failed", "dropped"]),
            ),
            models.CheckConstraint(
                name="delivery_sent_at_once_sent",
                condition=~Q(state="sent") | Q(sent_at__isnull=False),
            ),
        ]
        indexes = [
            # The outbox.
            models.Index(
                name="delivery_due",
                fields=["next_attempt_at"],
                condition=Q(state="waiting"),
            ),
            # A person's bell, and their list.
            models.Index(
                name="delivery_unread",
                fields=["person"],
                condition=Q(channel="in_app", read_at=None),
            ),
            models.Index(name="delivery_of_person", fields=["person", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.channel} to {self.reader}"

    @property
    def reader(self) -> str:
        """Who it goes to, in words."""
        if self.person:
            return self.person.get_username()
        return self.place.title if self.place else self.address

    def patience(self) -> timedelta:
        """Return how long to wait for the attempt after this one.

        Never less than a worker may take for one attempt; longer each time; and not
        the same for everyone whose message failed in the same second.
        """
        minutes = 2**self.attempts * random.uniform(1, 1.25)  # noqa: S311
        return timedelta(minutes=minutes)

    def is_exhausted(self) -> bool:
        return self.attempts >= self.MAX_ATTEMPTS


class DeliveryAttempt(models.Model):
    """One try to send a message, and how it ended. Without an error it was sent."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="tries")
    number = models.PositiveSmallIntegerField()
    ended_at = models.DateTimeField()
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["pk"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"Attempt {self.number} of {self.delivery_id}"
