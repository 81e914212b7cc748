"""Where can people be reached, and what do they, and their administrators, want?"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from governance.models import User

IN_APP, EMAIL, SLACK, SMS, OTHER = "in_app", "email", "slack", "sms", "other"
CHANNELS = {
    IN_APP: "Console",
    EMAIL: "E-mail",
    SLACK: "Slack",
    SMS: "SMS",
    OTHER: "Other service",
}
# To one person, and to a place where several look.
PERSONAL = (EMAIL, SLACK, SMS)
SHARED = (EMAIL, SLACK, OTHER)

phone_number = RegexValidator(
    r"\A\+[1-9][0-9]{6,14}\Z", "Write it with its country: +4930123456."
)


class Place(models.Model):
    """Where several people look: a Slack channel, a mailing list, a service's topic.

    It belongs to a group, and hears what the group is asked; without a group it is the
    operators' own, and hears when the system itself needs somebody.
    """

    title = models.CharField(max_length=80, unique=True)
    channel = models.CharField(
        max_length=8, choices=[(name, CHANNELS[name]) for name in SHARED]
    )
    # A Slack channel's id, an e-mail address, or the name of a service in the settings.
    address = models.CharField(max_length=200)
    group = models.ForeignKey(Group, models.CASCADE, null=True, related_name="places")
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["title"]
        verbose_name = "channel"
        constraints = [
            models.UniqueConstraint(
                name="place_once_for_a_group", fields=["channel", "address", "group"]
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Rule(models.Model):
    """Which ways a message takes. The first rule that fits decides.

    Empty means any: any topic, action, group. ``channels`` may be empty as well: such
    messages stay in the console.
    """

    position = models.PositiveSmallIntegerField(default=100)
    title = models.CharField(max_length=80, unique=True)
    topics = models.JSONField(default=list)
    actions = models.JSONField(default=list)
    groups = models.ManyToManyField(Group, blank=True, related_name="+")
    least_risk = models.PositiveSmallIntegerField(
        default=0, validators=[MaxValueValidator(100)]
    )
    most_risk = models.PositiveSmallIntegerField(
        default=100, validators=[MaxValueValidator(100)]
    )
    channels = models.JSONField(default=list)
    # Whether the places of the groups that are asked hear of it, too.
    places = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = "routing rule"
        constraints = [
            models.CheckConstraint(
                name="rule_risk_is_a_range",
                condition=Q(least_risk__lte=models.F("most_risk"), most_risk__lte=100),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Preference(models.Model):
    """What one person wants. Without a row: everything, at once, at any time."""

    person = models.OneToOneField(User, models.CASCADE, related_name="preference")
    email = models.BooleanField(default=True)
    slack = models.BooleanField(default=True)
    sms = models.BooleanField(default=False)
    phone = models.CharField(max_length=16, blank=True, validators=[phone_number])
    # Both or neither. From may be later than until: over midnight.
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    time_zone = models.CharField(max_length=50, default="UTC")
    # What is of low risk is collected, so many minutes at a time; 0: it is not.
    digest_minutes = models.PositiveSmallIntegerField(default=0)
    muted_until = models.DateTimeField(null=True, blank=True)
    # From this risk on nothing is muted, collected or kept for the morning.
    urgent_from = models.PositiveSmallIntegerField(
        default=75, validators=[MaxValueValidator(101)]
    )
    own_agents = models.BooleanField(default=False)

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                name="preference_quiet_hours_are_whole",
                condition=Q(quiet_from=None, quiet_until=None)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"What {self.person} wants to hear"

    def allows(self, channel: str) -> bool:
        wanted: bool = getattr(self, channel)
        return wanted


class Rota(models.Model):
    """Whose turn it is in a group: one person hears first, in turn.

    The others are told in the console, and by every way once silence asks again.
    """

    group = models.OneToOneField(Group, models.CASCADE, related_name="rota")
    # The first turn begins at this moment; each lasts so many days.
    starts_at = models.DateTimeField()
    days = models.PositiveSmallIntegerField(default=7)
    time_zone = models.CharField(max_length=50, default="UTC")

    class Meta:
        constraints = [
            models.CheckConstraint(name="rota_has_days", condition=Q(days__gte=1)),
        ]

    def __str__(self) -> str:
        return f"Rota of {self.group}"

    def turn_at(self, at: datetime) -> int:
        """Count the turns since the first, by days as they are at the place.

        A day on which clocks are put back is one day all the same.
        """
        zone = ZoneInfo(self.time_zone)
        begun, now = self.starts_at.astimezone(zone), at.astimezone(zone)
        passed = now.replace(tzinfo=None) - begun.replace(tzinfo=None)
        return int(passed // timedelta(days=self.days))


class Turn(models.Model):
    """One person's place in a rota."""

    rota = models.ForeignKey(Rota, models.CASCADE, related_name="turns")
    person = models.ForeignKey(User, models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["position", "pk"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                name="turn_once_in_a_rota", fields=["rota", "person"]
            ),
        ]

    def __str__(self) -> str:
        return str(self.person)


class SlackAccount(models.Model):
    """Who somebody is in Slack. Linked by the person, logged in, and by nobody else."""

    person = models.OneToOneField(User, models.CASCADE, related_name="slack_account")
    team = models.CharField(max_length=20)
    user = models.CharField(max_length=20)
    name = models.CharField(max_length=80, blank=True)
    linked_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                name="slack_account_of_one_person", fields=["team", "user"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} is {self.name or self.user} in Slack"
