"""Telling people: what is on its way to whom, and how far it has come."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from governance.models import Event, User


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, at: datetime) -> Self:
        waiting = self.filter(state=Delivery.State.WAITING, next_attempt_at__lte=at)
        return waiting.order_by("next_attempt_at")

    def unread(self, user: User) -> Self:
        return self.filter(person=user, channel="in_app", read_at=None)


class Delivery(models.Model):
    """One message to one person on one channel."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"

    event = models.ForeignKey(Event, models.PROTECT, related_name="deliveries")
    channel = models.CharField(max_length=20)
    person = models.ForeignKey(User, models.PROTECT, related_name="deliveries")
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
                name="delivery_once", fields=["event", "channel", "person"]
            ),
            models.CheckConstraint(
                name="delivery_state_is_known",
                condition=Q(state__in=["waiting", "sent", "failed"]),
            ),
        ]
        indexes = [
            # The outbox.
            models.Index(
                name="delivery_due",
                fields=["next_attempt_at"],
                condition=Q(state="waiting"),
            ),
            # A person's bell.
            models.Index(
                name="delivery_unread",
                fields=["person"],
                condition=Q(channel="in_app", read_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} to {self.person}"
