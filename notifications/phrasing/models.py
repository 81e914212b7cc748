"""What do messages say first, where an administrator wants it said in other words?"""

from __future__ import annotations

from django.db import models

from notifications.routing.models import CHANNELS, EMAIL, OTHER, SLACK, SMS
from notifications.topics import Topic

EVERY = ""
WORDED = [(name, CHANNELS[name]) for name in (EMAIL, SLACK, SMS, OTHER)]


class Phrase(models.Model):
    """The title and the opening of messages on one topic.

    What a decision needs (facts, parameters, the agent's words) follows all the same:
    nobody can phrase it away. The channel is empty for all of them.
    """

    topic = models.CharField(max_length=12, choices=Topic.choices)
    channel = models.CharField(
        max_length=8,
        blank=True,
        choices=WORDED,
    )
    pattern = models.CharField(max_length=100, default="*")
    title = models.CharField(max_length=150, blank=True)
    opening = models.TextField(max_length=1000, blank=True)

    class Meta:
        ordering = ["topic", "channel", "pattern"]
        verbose_name = "wording"
        constraints = [
            models.UniqueConstraint(
                name="phrase_once", fields=["topic", "channel", "pattern"]
            ),
        ]

    def __str__(self) -> str:
        where = f" by {CHANNELS[self.channel]}" if self.channel else ""
        return f"{Topic(self.topic).label}{where}, {self.pattern}"
