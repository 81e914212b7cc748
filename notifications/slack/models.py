"""What has been used, and must not be used again?"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, models, transaction

# Longer than anything that is spent here is good for: a signature is, at most, from
# five minutes ahead of us to five minutes behind, and a link for ten minutes.
KEPT = timedelta(minutes=15)


class SpentManager(models.Manager["Spent"]):
    def spend(self, key: str, at: datetime) -> bool:
        """Use this up. False when somebody has, be it in this very moment."""
        self.filter(at__lt=at - KEPT).delete()
        try:
            with transaction.atomic():
                self.create(key=key, at=at)
        except IntegrityError:
            return False
        return True


class Spent(models.Model):
    """One use of what may be used once: a request that Slack has signed, or a link."""

    key = models.CharField(max_length=80, unique=True)
    at = models.DateTimeField(db_index=True)

    objects = SpentManager()

    class Meta:
        default_permissions = ()
        verbose_name_plural = "spent"

    def __str__(self) -> str:
        return self.key
