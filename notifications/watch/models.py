"""What is wrong with the system itself, since when?"""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Trouble(models.Model):
    """Something that does not go on by itself. While it lasts there is one row of it."""

    # What it is, and where: "undelivered", "slack".
    kind = models.CharField(max_length=20)
    subject = models.CharField(max_length=60, blank=True)
    words = models.CharField(max_length=300)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-pk"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                name="trouble_once_at_a_time",
                fields=["kind", "subject"],
                condition=Q(ended_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.words
