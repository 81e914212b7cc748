"""People deciding: what they are asked, what they said, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Self
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from governance.clock import WallClock
from governance.models import Action, Agent, User, first_uuid7, uuid7

DECIDE = "decide_approvalrequest"
VIEW = "view_approvalrequest"
VIEW_ALL = "view_all_approvalrequest"
REJUDGE = "rejudge_approvalrequest"
VIGILANCE = "view_vigilance"
_DESK = "_countersign_desk"
# How far the clock that made a key and the database's may be apart.
_SLACK = timedelta(hours=1)
# A time that was read, or the database's own when the statement runs.
Moment = datetime | WallClock


class ApprovalRequestQuerySet(models.QuerySet["ApprovalRequest"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)

    def drifted(self) -> Self:
        """Open requests to which the rules of now say something else."""
        return self.open().filter(drift__has_key="decision")

    def late(self, at: datetime) -> Self:
        """Open requests that wait at a stage for longer than it has promised.

        Whoever notes the breach takes the mark away.
        """
        stages = Stage.objects.filter(state=Stage.State.OPEN, sla__isnull=False)
        past = stages.filter(Q(sla_at=None) | Q(sla_at__lte=at))
        return self.open().filter(Exists(past.filter(request=OuterRef("pk"))))

    def to_decide(self, user: User) -> Self:
        """Open requests that this person could decide now, also in place of others.

        Rights are granted when a stage opens and withdrawn when it closes, so this
        table is as small as what is open.
        """
        return self.open().filter(_decidable_by(user))

    def waiting_for(self, user: User) -> Self:
        """What this person's queue shows: what nobody does for them, and is not put off.

        What a stand-in may not decide themselves stays with the person.
        """
        mine = self.on_desk_of(user)
        if not desk_of(user).puts_off:
            return mine
        return mine.exclude(pk__in=Snooze.objects.of(user))

    def on_desk_of(self, user: User) -> Self:
        """What is for this person to decide, put off or not."""
        mine = self.to_decide(user)
        for other in desk_of(user).stand_ins:
            mine = mine.exclude(pk__in=self.model.objects.to_decide(other).values("pk"))
        return mine

    def snoozed_by(self, user: User) -> Self:
        if not desk_of(user).puts_off:
            return self.none()
        return self.to_decide(user).filter(pk__in=Snooze.objects.of(user))

    def visible_to(self, user: User) -> Self:
        """Requests this person may look at, also when they are decided.

        Those that they or their groups were asked about, those they voted on, and,
        while they stand in for somebody, what that person has been asked since.
        """
        if user.has_perm(f"approvals.{VIEW_ALL}"):
            return self
        seen, desk = Q(), desk_of(user)
        for seat in desk.seats:
            seen |= _sight_of(seat, desk)
        # Last: a person's votes are many, and most are on what their groups were asked.
        return self.filter(seen | _of_request(Vote.objects.filter(person=user)))


class Desk:
    """Whose work lies before a person at this moment, and who does theirs.

    Each is read when it is first asked for, and once: as a join in every list it would
    cost far more.
    """

    def __init__(self, user: User) -> None:
        self.user = user

    @cached_property
    def seats(self) -> list[Seat]:
        return Delegation.objects.seats_of(self.user.pk, WallClock())

    @cached_property
    def stand_ins(self) -> list[User]:
        return Delegation.objects.stand_ins(self.user.pk, WallClock())

    @cached_property
    def puts_off(self) -> bool:
        return Snooze.objects.of(self.user).exists()

    @cached_property
    def oldest(self) -> UUID:
        """So that nobody goes through the votes of years to find those on what waits."""
        return oldest_open()

    def groups_of(self, person: int) -> list[int]:
        return self._groups.get(person, [])

    def agents_of(self, people: Iterable[int]) -> list[int]:
        return [agent for person in people for agent in self._agents.get(person, [])]

    @cached_property
    def _groups(self) -> dict[int, list[int]]:
        members = User.groups.through.objects.filter(user__in=self._people)
        return _by_person(members.values_list("user", "group"))

    @cached_property
    def _agents(self) -> dict[int, list[int]]:
        owned = Agent.objects.filter(owner__in=self._people)
        return _by_person(owned.values_list("owner", "pk"))

    @property
    def _people(self) -> set[int]:
        return {who for seat in self.seats for who in (seat.holder, *seat.way)}


def desk_of(user: User) -> Desk:
    """Return it as it is now, or as a page read it for all of its lists."""
    kept: Desk | None = getattr(user, _DESK, None)
    return kept or Desk(user)


def keep_desk(user: User) -> None:
    """Read it once for as long as this instance lives: for pages, not for services."""
    if getattr(user, _DESK, None) is None:
        setattr(user, _DESK, Desk(user))


def oldest_open() -> UUID:
    """Return the lowest key that a request can have that is open."""
    opened = ApprovalRequest.objects.open().order_by("opened_at")
    first = opened.values_list("opened_at", flat=True).first()
    return first_uuid7(first - _SLACK) if first else UUID(int=0)


def _by_person(pairs: Iterable[tuple[int | None, int]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for person, key in pairs:
        if person is not None:
            found.setdefault(person, []).append(key)
    return found


def _decidable_by(user: User) -> Q:
    """Select what is not one's own agent's, not decided yet, and within one's rights."""
    rights, desk = Q(), desk_of(user)
    for seat in desk.seats:
        rights |= _right_of(seat, desk)
    return rights & _is_silent(user.pk, desk) & _is_not_of(desk.agents_of([user.pk]))


def _right_of(seat: Seat, desk: Desk) -> Q:
    """Select what this seat lets decide: one handed over, once, and no agent of theirs."""
    groups = desk.groups_of(seat.holder)
    rights = RequestGroupPermission.objects.filter(group__in=groups)
    holds = _of_request(rights, "content_object") | _is_named(seat)
    if not seat.since:
        return holds
    return holds & _is_not_of(desk.agents_of(seat.way)) & _is_silent(seat.holder, desk)


def _is_not_of(agents: list[int]) -> Q:
    return ~Q(action__agent__in=agents) if agents else Q()


def _sight_of(seat: Seat, desk: Desk) -> Q:
    """Select what may be seen from this seat."""
    groups = desk.groups_of(seat.holder)
    asked = ApprovalRequest.asked.through.objects.filter(group__in=groups)
    seen = _of_request(asked, "approvalrequest") | _is_named(seat)
    if seat.since:
        seen &= Q(closed_at=None) | Q(closed_at__gt=seat.since)
    return seen


def _is_named(seat: Seat) -> Q:
    """Select what this person was given in their own name."""
    rights = RequestUserPermission.objects.filter(user=seat.holder)
    return _of_request(rights, "content_object")


def _is_silent(person: int, desk: Desk) -> Q:
    """Select what neither this person has decided, nor anybody by their right.

    Each is asked by itself, so that an index answers without a look at the votes.
    """
    votes = Vote.objects.filter(request__gte=desk.oldest)
    own, by_right = votes.filter(person=person), votes.filter(seat=person)
    return ~_of_request(own) & ~_of_request(by_right)


def _of_request(rows: models.QuerySet[Any], field: str = "request") -> Q:
    """Ask each request for such a row, as far as somebody reads the list.

    Collecting the keys of a million decided requests first would take longer.
    """
    return Q(Exists(rows.filter(**{field: OuterRef("pk")})))


class ApprovalRequest(models.Model):
    """One revision of one action, put before people.

    It keeps exactly what they were asked about: a later revision opens a request of
    its own. The status lives on the action; here is only whether this request is
    closed, and with what outcome.
    """

    class Outcome(models.TextChoices):
        APPROVED = "approved"
        REJECTED = "rejected"
        CHANGES_REQUESTED = "changes_requested", "Changes requested"
        EXPIRED = "expired"
        CANCELLED = "cancelled"
        # Judged again, by other rules: another request took its place, or none.
        SUPERSEDED = "superseded"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    action = models.ForeignKey(Action, models.PROTECT, related_name="requests")
    revision = models.PositiveSmallIntegerField(default=1)
    digest = models.CharField(max_length=71)
    params = models.JSONField(default=dict)
    resource = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    context = models.JSONField(default=dict)
    summary = models.CharField(max_length=300, blank=True)
    risk = models.PositiveSmallIntegerField(default=0)
    # Whether every rule could be evaluated: silence may only approve if so.
    evaluated = models.BooleanField(default=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=17, choices=Outcome, blank=True)
    conditions = models.JSONField(default=list)
    # The rules that judged it, and what those of a later revision would say instead.
    rules_revision = models.PositiveBigIntegerField(default=0)
    drift = models.JSONField(null=True)
    drift_revision = models.PositiveBigIntegerField(null=True)
    # Who is looking at it, so that two people need not.
    claimed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    claimed_at = models.DateTimeField(null=True)
    # What let it through without the approvals it needed.
    broken_glass = models.ForeignKey(
        "BreakGlass", models.PROTECT, null=True, related_name="requests"
    )
    # Every group that any stage names: they may look, before and after their turn.
    asked = models.ManyToManyField(Group, related_name="+")

    objects = ApprovalRequestQuerySet.as_manager()
    frozen = (
        "action",
        "revision",
        "digest",
        "params",
        "resource",
        "reason",
        "context",
        "risk",
        "evaluated",
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = "request"
        verbose_name_plural = "approvals"
        default_permissions = ["view"]
        permissions = [
            (DECIDE, "Can decide this request"),
            (VIEW_ALL, "Can view every request"),
            (REJUDGE, "Can have waiting requests judged again"),
            (VIGILANCE, "Can see how carefully people decide"),
        ]
        constraints = [
            models.UniqueConstraint(
                name="request_once_per_revision", fields=["action", "revision"]
            ),
            models.CheckConstraint(
                name="request_outcome_once_closed",
                condition=Q(closed_at=None, outcome="")
                | (Q(closed_at__isnull=False) & ~Q(outcome="")),
            ),
        ]
        indexes = [
            # The queue.
            models.Index(
                name="request_open", fields=["opened_at"], condition=Q(closed_at=None)
            ),
            # What was settled in these days.
            models.Index(
                name="request_closed",
                fields=["closed_at"],
                condition=Q(closed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.summary or str(self.pk)


class Stage(models.Model):
    """One requirement under way, on the terms it had when the request was opened."""

    class State(models.TextChoices):
        WAITING = "waiting"
        OPEN = "open"
        APPROVED = "approved"
        CLOSED = "closed"

    request = models.ForeignKey(ApprovalRequest, models.PROTECT, related_name="stages")
    position = models.PositiveSmallIntegerField()
    step = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=100)
    # [{"id": 3, "name": "finance"}]: the id routes, the name is what it was called.
    groups = models.JSONField(default=list)
    needed = models.PositiveSmallIntegerField()
    # How many people must reject before the stage does.
    rejections = models.PositiveSmallIntegerField(default=1)
    sla = models.DurationField(null=True)
    # What silence does, step by step: [{"after": seconds, "do": "escalate", "groups":
    # [{"id", "name"}], "max_risk": null, "at": "2026-…"}]. "at" is there once it is open.
    silence = models.JSONField(default=list)
    # How many of these steps have been taken.
    silent_steps = models.PositiveSmallIntegerField(default=0)
    # The working hours that its times count, as a policy file writes them.
    calendar = models.JSONField(null=True)
    # Further groups that may be given the stage.
    reassign_to = models.JSONField(default=list)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    opened_at = models.DateTimeField(null=True)
    # When silence decides next. Null while it may wait for ever.
    deadline_at = models.DateTimeField(null=True)
    # When people are reminded next.
    remind_at = models.DateTimeField(null=True)
    # The mark of its SLA. Null without one, and once it has been missed.
    sla_at = models.DateTimeField(null=True)
    # Whose approval no longer counts, as they have lost the right: keys of people.
    lapsed = models.JSONField(default=list)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["request", "position"]
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                name="stage_once_per_position", fields=["request", "position"]
            ),
            models.CheckConstraint(
                name="stage_state_is_known",
                condition=Q(state__in=["waiting", "open", "approved", "closed"]),
            ),
            models.CheckConstraint(
                name="stage_opened_at_unless_waiting_or_closed",
                condition=Q(state__in=["waiting", "closed"])
                | Q(opened_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def is_open(self) -> bool:
        return self.state == self.State.OPEN

    def steps_left(self) -> list[dict[str, Any]]:
        """What silence still does, in order."""
        left: list[dict[str, Any]] = self.silence[self.silent_steps :]
        return left

    def next_step(self) -> dict[str, Any] | None:
        """What silence decides next; reminding decides nothing."""
        return next((s for s in self.steps_left() if s["do"] != "remind"), None)


class Vote(models.Model):
    """What one person, or the system on silence, said to one request."""

    class Verdict(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"
        REQUEST_CHANGES = "request_changes"

    request = models.ForeignKey(ApprovalRequest, models.PROTECT, related_name="votes")
    stage = models.ForeignKey(Stage, models.PROTECT, related_name="votes")
    # Null when silence decided, or broken glass.
    person = models.ForeignKey(User, models.PROTECT, null=True, related_name="votes")
    # Whose right it was: somebody else's, when the person stood in for them.
    seat = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    by = models.CharField(max_length=310)
    verdict = models.CharField(max_length=15, choices=Verdict)
    comment = models.TextField(blank=True)
    # Sentences for the agent to keep to.
    conditions = models.JSONField(default=list)
    # What must hold when it runs: [{"text", "expression"}].
    checks = models.JSONField(default=list)
    # With a request for changes: the parameters the reviewer would agree to.
    proposed_params = models.JSONField(null=True)
    via = models.CharField(max_length=12)
    # When this person was shown what they decided on. Null: they never opened it.
    shown_at = models.DateTimeField(null=True)
    at = models.DateTimeField()

    append_only = True

    class Meta:
        ordering = ["id"]
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                name="vote_once_per_person",
                # In this order it also finds what a person has decided.
                fields=["person", "request"],
                condition=Q(person__isnull=False),
            ),
            models.UniqueConstraint(
                name="vote_once_per_seat",
                fields=["seat", "request"],
                condition=Q(seat__isnull=False),
            ),
            models.CheckConstraint(
                name="vote_of_a_person_has_a_seat",
                condition=Q(person=None, seat=None)
                | Q(person__isnull=False, seat__isnull=False),
            ),
            models.CheckConstraint(
                name="vote_verdict_is_known",
                condition=Q(verdict__in=["approve", "reject", "request_changes"]),
            ),
        ]
        indexes = [
            # What was decided in these days.
            models.Index(name="vote_at", fields=["at"])
        ]

    def __str__(self) -> str:
        return f"{self.by}: {self.verdict}"

    def on_behalf_of(self) -> str | None:
        """Return in whose place it was given, if the right was somebody else's."""
        if self.seat_id == self.person_id or self.seat is None:
            return None
        return self.seat.get_username()

    def sentences(self) -> list[str]:
        """Return everything the agent is to keep to, whether it is checked or not."""
        return [*self.conditions, *(check["text"] for check in self.checks)]


@dataclass(frozen=True, slots=True)
class Seat:
    """A right to decide that a person may use: their own, or one handed to them."""

    holder: int
    # Through whose hands it came: the holder, who stood in, and who arranged that.
    way: tuple[int, ...]
    # From when on it was handed over. None: it is their own.
    since: datetime | None = None


class DelegationQuerySet(models.QuerySet["Delegation"]):
    def active(self, at: Moment) -> Self:
        """Those in force. Who is switched off neither hands over nor stands in."""
        return self.filter(
            starts_at__lte=at,
            ends_at__gt=at,
            ended_at=None,
            person__is_active=True,
            to__is_active=True,
        )

    def seats_of(self, person: int, at: Moment) -> list[Seat]:
        """Return whose rights a person may use: their own first, then the nearest.

        One query, and another for each link of a chain. Whom it has reached, it does
        not follow again: a loop, were there one, ends. Nor does it follow what this
        person set up for others: nobody hands a right to themselves.
        """
        found = {person: Seat(person, (person,))}
        latest = dict(found)
        while latest:
            links = self.active(at).filter(to__in=latest).order_by("person", "pk")
            reached = {}
            for link in links:
                if link.person_id not in found and link.created_by_id != person:
                    reached[link.person_id] = link.seat(latest[link.to_id])
            latest = reached
            found.update(reached)
        return list(found.values())

    def stand_ins(self, person: int, at: Moment) -> list[User]:
        """Return who does a person's work now: whom they asked, and whom those asked."""
        found: dict[int, User] = {}
        latest = {person}
        while latest:
            links = self.active(at).filter(person__in=latest).order_by("to", "pk")
            reached = {link.to_id: link.to for link in links.select_related("to")}
            latest = reached.keys() - found.keys() - {person}
            found.update(reached)
        found.pop(person, None)
        return list(found.values())


class Delegation(models.Model):
    """A person hands their queue to another for a time."""

    person = models.ForeignKey(User, models.PROTECT, related_name="handed_over")
    to = models.ForeignKey(User, models.PROTECT, related_name="stands_in")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    # Taken back before its time.
    ended_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)

    objects = DelegationQuerySet.as_manager()
    frozen = ("person", "to", "starts_at", "ends_at", "created_by", "created_at")

    class Meta:
        ordering = ["-id"]
        verbose_name = "stand-in"
        verbose_name_plural = "stand-ins"
        default_permissions = ["view"]
        permissions = [("delegate_for_others", "Can hand over the queue of others")]
        constraints = [
            models.CheckConstraint(
                name="delegation_is_to_somebody_else", condition=~Q(person=F("to"))
            ),
            models.CheckConstraint(
                name="delegation_ends_after_it_starts",
                condition=Q(ends_at__gt=F("starts_at")),
            ),
        ]
        indexes = [
            # Whom does this person stand in for?
            models.Index(
                name="delegation_to",
                fields=["to", "ends_at"],
                condition=Q(ended_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"{self.to} for {self.person}"

    def seat(self, nearer: Seat) -> Seat:
        """Return what this hands over, where ``nearer`` is the seat it is handed to."""
        begun = max(self.starts_at, self.created_at)
        since = max(begun, nearer.since or begun)
        hands = (self.person_id, self.created_by_id or self.person_id)
        through = nearer.way if nearer.since else ()
        return Seat(self.person_id, (*hands, *through), since)

    def is_over(self, at: datetime) -> bool:
        return self.ended_at is not None or self.ends_at <= at


class SnoozeQuerySet(models.QuerySet["Snooze"]):
    def of(self, user: User) -> models.QuerySet[Any]:
        """Return the requests that a person has put off, by their keys."""
        return self.filter(person=user, until__gt=WallClock()).values("request")


class Snooze(models.Model):
    """Not now: one person's queue leaves a request out until then."""

    request = models.ForeignKey(ApprovalRequest, models.PROTECT, related_name="+")
    person = models.ForeignKey(User, models.PROTECT, related_name="+")
    until = models.DateTimeField()

    objects = SnoozeQuerySet.as_manager()

    class Meta:
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                name="snooze_once_per_person", fields=["request", "person"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.request_id}"


class Look(models.Model):
    """Somebody has a request open. The page says so again while it is shown."""

    request = models.ForeignKey(ApprovalRequest, models.CASCADE, related_name="looks")
    person = models.ForeignKey(User, models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()

    class Meta:
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                name="look_once_per_person", fields=["request", "person"]
            )
        ]
        indexes = [models.Index(name="look_seen_at", fields=["seen_at"])]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.request_id}"


class SavedView(models.Model):
    """A tab, filters and a search that one person keeps under a name."""

    person = models.ForeignKey(User, models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=50)
    # As in the address of the page.
    query = models.CharField(max_length=1000)

    class Meta:
        ordering = ["name"]
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                name="saved_view_once_per_name", fields=["person", "name"]
            )
        ]

    def __str__(self) -> str:
        return self.name


class PresetReason(models.Model):
    """A comment that people give often, ready to be chosen."""

    verdict = models.CharField(max_length=15, choices=Vote.Verdict)
    # For which actions: ``refund.create``, ``refund.*`` or ``*``.
    pattern = models.CharField(max_length=100, default="*")
    text = models.CharField(max_length=300)

    class Meta:
        ordering = ["verdict", "pattern", "text"]
        verbose_name = "preset reason"
        default_permissions = ["add", "change", "delete", "view"]
        constraints = [
            models.UniqueConstraint(
                name="preset_reason_once",
                fields=["verdict", "pattern", "text"],
            )
        ]

    def __str__(self) -> str:
        return self.text


class BreakGlassQuerySet(models.QuerySet["BreakGlass"]):
    def active(self, at: datetime | WallClock) -> Self:
        return self.filter(started_at__lte=at, ends_at__gt=at, ended_at=None)


class BreakGlass(models.Model):
    """One person answers for letting things through without approval, for a short time.

    It waives approvals. What a policy blocks, or somebody has frozen, stays stopped.
    """

    person = models.ForeignKey(User, models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    # Null: of every agent.
    agent = models.ForeignKey(Agent, models.PROTECT, null=True, related_name="+")
    pattern = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)

    objects = BreakGlassQuerySet.as_manager()
    frozen = ("person", "reason", "agent", "pattern", "started_at", "ends_at")

    class Meta:
        ordering = ["-id"]
        verbose_name = "break-glass"
        verbose_name_plural = "break-glass"
        default_permissions = ["view"]
        permissions = [("break_glass", "Can break the glass")]
        constraints = [
            models.CheckConstraint(
                name="break_glass_ends_after_it_starts",
                condition=Q(ends_at__gt=F("started_at")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.pattern}"


class BypassReview(models.Model):
    """What ran without approval, and what somebody else says to it afterwards."""

    class Verdict(models.TextChoices):
        JUSTIFIED = "justified"
        UNJUSTIFIED = "unjustified"

    request = models.OneToOneField(
        ApprovalRequest, models.PROTECT, related_name="bypass_review"
    )
    opened_at = models.DateTimeField()
    reviewed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    reviewed_at = models.DateTimeField(null=True)
    verdict = models.CharField(max_length=11, choices=Verdict, blank=True)
    comment = models.TextField(blank=True)

    frozen = ("request", "opened_at")

    class Meta:
        ordering = ["-id"]
        verbose_name = "review after break-glass"
        verbose_name_plural = "after break-glass"
        default_permissions = ["view"]
        constraints = [
            models.CheckConstraint(
                name="bypass_review_is_by_somebody",
                condition=Q(verdict="", reviewed_by=None, reviewed_at=None)
                | (
                    ~Q(verdict="")
                    & Q(reviewed_by__isnull=False, reviewed_at__isnull=False)
                ),
            )
        ]

    def __str__(self) -> str:
        return str(self.request)


class KeptDay(models.Model):
    """What the requests of one day came to, or of an hour of today, counted once."""

    # Of which requests: everything, or those of certain groups. See figures.selecting.
    scope = models.CharField(max_length=64, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    counts = models.JSONField()

    class Meta:
        default_permissions = []
        constraints = [
            models.UniqueConstraint(
                name="kept_day_once", fields=["scope", "starts_at", "ends_at"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d} {self.scope}"


class RequestGroupPermission(GroupObjectPermissionBase):
    """A group may decide one request. Guardian finds this table by itself."""

    content_object = models.ForeignKey(ApprovalRequest, models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        default_permissions = []


class RequestUserPermission(UserObjectPermissionBase):
    """A person may decide one request."""

    content_object = models.ForeignKey(ApprovalRequest, models.CASCADE)

    class Meta(UserObjectPermissionBase.Meta):
        default_permissions = []
