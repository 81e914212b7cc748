"""What does a person see who has to decide? Everything on the review page but the form."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from approvals import authority
from approvals.authority import Standing
from approvals.console import (
    attention,
    drifting,
    earlier,
    facts,
    foreseen,
    moves,
    similar,
    standing,
    timeline,
    words,
)
from approvals.console.attention import Attention, Mark
from approvals.console.foreseen import Foreseen
from approvals.console.moves import Turned
from approvals.console.revisions import Comparison, Succession
from approvals.console.similar import Similar
from approvals.course import Course
from approvals.deciders import deciders, rightful
from approvals.models import ApprovalRequest, Stage, Vote
from governance.errors import Refused
from governance.ledger import Kind
from governance.models import Event, Status, User
from policies.explanation import Explanation, explain

Outcome = ApprovalRequest.Outcome
AGAIN = timedelta(minutes=5)
MOST_NAMES = 6
STATES = {
    Stage.State.WAITING: words.Label("Comes later"),
    Stage.State.OPEN: words.Label("Open", "info"),
    Stage.State.APPROVED: words.Label("Approved", "good"),
    Stage.State.CLOSED: words.Label("Closed"),
}


@dataclass(frozen=True, slots=True)
class StageView:
    """One requirement, who has met it and who still can."""

    stage: Stage
    label: words.Label
    votes: list[tuple[Vote, words.Label]]
    approved: int
    people: list[str]
    others: int

    @property
    def groups(self) -> str:
        return words.listed([group["name"] for group in self.stage.groups], "or")


class Review:
    """One request as one person sees it at one moment.

    ``turned`` is a verdict that was refused, and what it was about.
    """

    def __init__(
        self,
        request: ApprovalRequest,
        person: User,
        at: datetime,
        turned: Turned | None = None,
    ) -> None:
        self.request, self.person, self.at = request, person, at
        self.turned = turned
        # Before everything else: what comes in between is told as news.
        self.seen = moves.last_step(request.action)
        self.course: Course = standing.courses_of([request], at)[request.pk]
        self.action = self.course.action

    # Where it stands

    @cached_property
    def standing(self) -> Standing:
        """Whether this person can decide; if not, why not, and who can."""
        return authority.standing(self.course, self.request, self.person, self.at)

    @property
    def objection(self) -> Refused | None:
        return self.standing.refusal

    @cached_property
    def attention(self) -> Attention | None:
        """What this person may do instead of deciding, if they could decide."""
        if not self.standing.may:
            return None
        return attention.of(self.course, self.standing, self.person, self.at)

    @cached_property
    def mark(self) -> Mark:
        """For whom it would be decided, and who is looking at it."""
        found = attention.marks(self.person, {self.request.pk: self.course}, self.at)
        return found[self.request.pk]

    @property
    def is_former(self) -> bool:
        return self.request.revision != self.action.revision

    @property
    def is_open(self) -> bool:
        return not self.is_former and self.action.status == Status.PENDING

    @property
    def status(self) -> words.Label:
        return words.status_of(self.course)

    @property
    def time_left(self) -> words.Label | None:
        return words.time_left(self.course, self.at) if self.is_open else None

    @property
    def outcome(self) -> words.Label:
        request = self.course.request
        return words.outcome(request) if request and request.outcome else self.status

    @property
    def closing(self) -> str:
        """Say how it ended, in a sentence."""
        said = {vote.verdict: vote.by for vote in self.course.votes}
        approved = [
            v.by for v in self.course.votes if v.verdict == Vote.Verdict.APPROVE
        ]
        match self.course.request and self.course.request.outcome:
            case Outcome.APPROVED if glass := self.request.broken_glass:
                return f"{glass.person} let it through with broken glass."
            case Outcome.APPROVED:
                return f"{words.listed(approved)} approved it."
            case Outcome.REJECTED:
                return f"{said[Vote.Verdict.REJECT]} rejected it."
            case Outcome.CHANGES_REQUESTED:
                return f"{said[Vote.Verdict.REQUEST_CHANGES]} asked for changes."
            case Outcome.CANCELLED:
                return "The agent withdrew it."
            case Outcome.SUPERSEDED:
                return "It was judged again, by other rules."
            case _:
                return "Nobody decided in time."

    @property
    def asked(self) -> str:
        return f"{words.span(self.at - self.request.opened_at)} ago"

    @property
    def risk(self) -> words.Risk:
        return words.Risk(self.request.risk)

    @cached_property
    def revisions(self) -> list[ApprovalRequest]:
        """Every revision people were asked about, if there are several."""
        rows = ApprovalRequest.objects.filter(action=self.action).order_by("revision")
        found = list(rows)
        return found if len(found) > 1 else []

    @cached_property
    def succession(self) -> Succession:
        """What became of a former revision."""
        return Succession(self.request, self.action, self.revisions)

    @cached_property
    def since(self) -> Comparison | None:
        """What this revision changes about the one before, or the one that was shown."""
        before = self.request.revision - 1
        if self.turned and self.turned.shown.revision <= before:
            before = self.turned.shown.revision
        former = next((r for r in self.revisions if r.revision == before), None)
        by = self._judged.actor_name if self._judged else ""
        return Comparison(former, self.request, by) if former else None

    @cached_property
    def drift(self) -> drifting.Drift | None:
        """What the rules of now would say instead, while it waits."""
        return drifting.of(self.request, self.person) if self.is_open else None

    # What would run, and what the agent says about it

    @cached_property
    def params(self) -> list[facts.Fact]:
        params = self.request.params
        return list(facts.flatten(params, at=self.at)) if params else []

    @cached_property
    def context(self) -> list[facts.Fact]:
        """The facts it gives, but for those that are shown as a change."""
        return foreseen.rest(self.request.context, self.at)

    @cached_property
    def foreseen(self) -> Foreseen | None:
        """What it says would change, if it sends how it is before and after."""
        return foreseen.of(self.request.context, self.at)

    # Why people are asked

    @cached_property
    def _judged(self) -> Event | None:
        """The step in which this revision was judged."""
        kinds = [Kind.SUBMITTED, Kind.REVISED, Kind.JUDGED_AGAIN]
        for event in Event.objects.about(self.action).filter(kind__in=kinds):
            if json.loads(event.body)["action"]["revision"] == self.request.revision:
                return event
        return None

    @cached_property
    def _submitted(self) -> dict[str, Any]:
        """What was put on record when this revision was judged."""
        return self._judged.data if self._judged else {}

    @property
    def _trace(self) -> dict[str, Any]:
        trace: dict[str, Any] = self._submitted.get("trace") or {}
        return trace

    @property
    def reasons(self) -> list[dict[str, Any]]:
        reasons: list[dict[str, Any]] = (
            self._submitted.get("reasons") or self.action.reasons
        )
        return reasons

    @cached_property
    def explained(self) -> Explanation | None:
        """What each policy said and what decided it, if that is on record."""
        if not self._trace:
            return None
        return explain(self.action.name, self._submitted)

    @property
    def why(self) -> list[tuple[dict[str, Any], str]]:
        """Each reason, and what decided it in words."""
        told = self.explained.policies if self.explained else ()
        sentences = {each.name: each.sentence for each in told}
        return [(r, sentences.get(r["policy"] or "", "")) for r in self.reasons]

    @property
    def risk_parts(self) -> list[dict[str, Any]]:
        parts: list[dict[str, Any]] = self._trace.get("risk", [])
        return parts

    @property
    def on_trial(self) -> list[dict[str, Any]]:
        """Policies that only watch, and would have had something to say."""
        policies = self._trace.get("policies", [])
        return [p for p in policies if p.get("mode") == "monitor" and p.get("matched")]

    @cached_property
    def looked_back(self) -> list[tuple[str, int, float | None]]:
        found = self._trace.get("lookbacks", {})
        return [
            (name.replace("_", " "), tally["count"], tally["sum"])
            for name, tally in found.items()
            if tally
        ]

    # Who decides

    @cached_property
    def stages(self) -> list[StageView]:
        able = deciders(self.course, rightful(self.course), self.at)
        views = []
        for stage in self.course.stages:
            left = able[stage.pk]
            votes = [
                (vote, words.VERDICTS[Vote.Verdict(vote.verdict)])
                for vote in self.course.votes
                if vote.stage_id == stage.pk
            ]
            views.append(
                StageView(
                    stage,
                    STATES[Stage.State(stage.state)],
                    votes,
                    len(self.course.approvers(stage)),
                    left[:MOST_NAMES],
                    max(0, len(left) - MOST_NAMES),
                )
            )
        return views

    # What was before

    @cached_property
    def earlier(self) -> list[earlier.Earlier]:
        return earlier.before(self.action)

    @cached_property
    def similar(self) -> Similar:
        return similar.to(self.request, self.action, self.person, self.at)

    @cached_property
    def shared(self) -> list[tuple[str, str]]:
        return earlier.shared_by(self.action)

    @cached_property
    def story(self) -> tuple[list[timeline.Entry], int]:
        return timeline.story(self.action)


def has_just_looked(request: ApprovalRequest, person: User, at: datetime) -> bool:
    """Whether this person's look at this revision is on record already."""
    looks = Event.objects.filter(
        action=request.action_id,
        kind=Kind.VIEWED,
        actor_kind="person",
        actor_id=str(person.pk),
        at__gt=at - AGAIN,
    )
    return any(look.data["request"] == str(request.pk) for look in looks)
