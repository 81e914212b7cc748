"""Where does a request stand, and what follows from a vote or from silence?

A ``Course`` holds one action, its request, stages and votes in memory and applies the
rules to them; it never touches the database. Services save what it changed, under a
lock. A reader that may not write looks at the result alone: so what silence has
decided is seen at once, even if no worker is running.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from approvals import quorum, silence
from approvals.models import ApprovalRequest, BreakGlass, Stage, Vote
from governance.ledger import SYSTEM, Actor, Kind
from governance.models import GRANTED, Action, Status

# How a vote came about that is nobody's approval.
BREAK_GLASS = "break_glass"


@dataclass(frozen=True, slots=True)
class Happening:
    """One step the rules took. ``at`` is the moment it took effect."""

    kind: Kind
    at: datetime
    actor: Actor = SYSTEM
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Course:
    """One action on its way, with the revision that people are asked about."""

    action: Action
    request: ApprovalRequest | None = None
    stages: list[Stage] = field(default_factory=list)
    votes: list[Vote] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)

    def open_stages(self) -> list[Stage]:
        return [stage for stage in self.stages if stage.is_open()]

    def approvers(self, stage: Stage) -> list[Vote]:
        """Return the approvals by people that count at this stage."""
        gone = {None, *stage.lapsed}
        return [vote for vote in self._approvals(stage) if vote.seat_id not in gone]

    def rejections(self, stage: Stage) -> list[Vote]:
        """Return the rejections at this stage: one that needs several stays open."""
        return [
            vote
            for vote in self.votes
            if vote.stage_id == stage.pk and vote.verdict == Vote.Verdict.REJECT
        ]

    def _approvals(self, stage: Stage) -> list[Vote]:
        return [
            vote
            for vote in self.votes
            if vote.stage_id == stage.pk
            and vote.verdict == Vote.Verdict.APPROVE
            and vote.via != BREAK_GLASS
        ]

    # What starts it and what ends it

    def start(self, at: datetime) -> None:
        """Open the first step."""
        if not self.stages:
            # Fail closed: nothing may count as approved because nobody was asked.
            raise ValueError("A request needs a stage.")
        self._advance(at)

    def cancel(self, at: datetime, actor: Actor) -> None:
        self._settle(Status.CANCELLED, Kind.CANCELLED, at, actor)

    def supersede(self, at: datetime) -> None:
        """Ask nobody any more: another revision takes the place of this one."""
        self._close_request(ApprovalRequest.Outcome.SUPERSEDED, at)

    def bypass(self, glass: BreakGlass, at: datetime, actor: Actor) -> None:
        """Let it go ahead without the approvals it needs.

        Somebody has broken the glass and answers for it: nobody counts as having approved.
        """
        request, stages = self.request, self.open_stages()
        assert request is not None
        request.broken_glass = glass
        who = glass.person.get_username()
        vote = Vote(
            request=request,
            stage=stages[0],
            by=f"{who} (break-glass)",
            verdict=Vote.Verdict.APPROVE,
            comment=glass.reason,
            via=BREAK_GLASS,
            at=at,
        )
        self.votes.append(vote)
        self._settle(
            Status.APPROVED,
            Kind.BYPASSED,
            at,
            actor,
            glass=glass.pk,
            broken_by=who,
            reason=glass.reason,
        )

    def happen(self, kind: Kind, at: datetime, actor: Actor, **data: Any) -> None:
        """Note a step that needs no rule to follow from it."""
        self.happenings.append(Happening(kind, at, actor, data))

    def vote(
        self,
        stage: Stage,
        vote: Vote,
        *,
        actor: Actor,
        rightful: Mapping[int, Set[int]],
        in_bulk: bool = False,
    ) -> None:
        """Count one person's vote and let follow what follows.

        ``rightful`` says for each stage who, at this moment, may approve there. When
        the last vote is in, an earlier one by anybody else no longer counts, and the
        stage that it carried opens again. ``in_bulk`` is for the record alone.
        """
        self.votes.append(vote)
        self._say(
            Kind.VOTED,
            vote.at,
            actor,
            verdict=vote.verdict,
            stage=stage.name,
            comment=vote.comment,
            conditions=vote.conditions,
            checks=vote.checks,
            proposed_params=vote.proposed_params,
            via=vote.via,
            on_behalf_of=vote.on_behalf_of(),
            shown_at=vote.shown_at.isoformat() if vote.shown_at else None,
            **({"in_bulk": True} if in_bulk else {}),
        )
        if vote.verdict == Vote.Verdict.REQUEST_CHANGES:
            self._settle(
                Status.CHANGES_REQUESTED, Kind.CHANGES_REQUESTED, vote.at, actor
            )
        elif vote.verdict == Vote.Verdict.APPROVE:
            self._approve(stage, vote.at, actor, rightful)
        elif quorum.is_rejected(stage.rejections, self.rejecters(stage, rightful)):
            self._settle(Status.REJECTED, Kind.REJECTED, vote.at, actor)

    def rejecters(self, stage: Stage, rightful: Mapping[int, Set[int]]) -> Set[int]:
        """Return who rejected here and may still: one more may be needed."""
        said = {vote.seat_id for vote in self.rejections(stage)}
        return rightful.get(stage.pk, set()) & said

    # What the clock brings

    def lapse(self, at: datetime) -> None:
        """Apply everything that silence has decided up to this moment, in order."""
        while (due := self._next_due()) is not None and due[0] <= at:
            moment, stage, mark = due
            if stage is None:
                self._expire(moment, "nobody used the permission in time")
            elif mark == "sla":
                stage.sla_at = None
                self._say(Kind.SLA_BREACHED, moment, stage=stage.name)
            elif mark == "agent":
                self._expire(moment, "the agent's own deadline passed")
            else:
                self._silence(stage, moment)
            self._reckon()

    def _next_due(self) -> tuple[datetime, Stage | None, str] | None:
        action = self.action
        if action.status in GRANTED and action.grant_expires_at:
            return action.grant_expires_at, None, "grant"
        if action.status != Status.PENDING:
            return None
        marks: list[tuple[datetime, Stage | None, str]] = []
        for stage in self.open_stages():
            # At the same moment the agent's own end comes first: it never approves.
            if action.expires_at:
                marks.append((action.expires_at, stage, "agent"))
            if stage.sla_at:
                marks.append((stage.sla_at, stage, "sla"))
            if ahead := silence.next_moment(stage):
                marks.append((ahead, stage, "silence"))
        return min(marks, key=lambda mark: mark[0], default=None)

    def _silence(self, stage: Stage, at: datetime) -> None:
        """Nobody spoke in time: take the next step of what the stage says about that."""
        step = silence.take(stage)
        match step["do"]:
            case "remind":
                end = stage.deadline_at.isoformat() if stage.deadline_at else None
                self._say(Kind.REMINDED, at, stage=stage.name, deadline_at=end)
            case "escalate":
                self._escalate(stage, step["groups"], at)
            case "hold":
                self._say(Kind.HELD, at, stage=stage.name)
            case "approve" if self._may_approve_itself(step["max_risk"]):
                self._approve_by_silence(stage, at)
            case _:
                self._expire(at, f"nobody decided at the stage {stage.name} in time")

    def _escalate(
        self, stage: Stage, further: Sequence[dict[str, Any]], at: datetime
    ) -> None:
        """Ask further groups as well."""
        present = {group["id"] for group in stage.groups}
        added = [group for group in further if group["id"] not in present]
        stage.groups = [*stage.groups, *added]
        self._say(
            Kind.ESCALATED,
            at,
            stage=stage.name,
            groups=[group["name"] for group in added],
        )

    def _may_approve_itself(self, limit: int | None) -> bool:
        """Silence may only approve what is low in risk and was understood in full.

        Where it takes several people to reject, one who did was not silent.
        """
        request = self.request
        return (
            request is not None
            and limit is not None
            and request.evaluated
            and request.risk <= limit
            and not any(self.rejections(stage) for stage in self.stages)
        )

    def _approve_by_silence(self, stage: Stage, at: datetime) -> None:
        vote = Vote(
            request=self.request,
            stage=stage,
            by="system",
            verdict=Vote.Verdict.APPROVE,
            comment="Nobody decided in time; the risk is low enough to go ahead.",
            via="system",
            at=at,
        )
        self.votes.append(vote)
        self._say(
            Kind.VOTED,
            at,
            verdict=vote.verdict,
            stage=stage.name,
            comment=vote.comment,
            conditions=[],
            via="system",
        )
        self._close(stage, Stage.State.APPROVED, at)
        self._advance(at)

    # How one thing leads to the next

    def _approve(
        self, stage: Stage, at: datetime, actor: Actor, rightful: Mapping[int, Set[int]]
    ) -> None:
        if not self._is_carried(stage, rightful):
            return
        self._close(stage, Stage.State.APPROVED, at)
        if all(other.state == Stage.State.APPROVED for other in self.stages):
            for other in self.stages:
                # Carried by somebody who has lost the right since: it opens again.
                if not self._is_carried(other, rightful):
                    other.state = Stage.State.WAITING
        self._advance(at, actor)

    def _is_carried(self, stage: Stage, rightful: Mapping[int, Set[int]]) -> bool:
        approvers = {vote.seat_id for vote in self._approvals(stage)}
        by_silence = None in approvers
        counting = approvers & rightful.get(stage.pk, set())
        stage.lapsed = sorted(approvers - counting - {None})
        return by_silence or quorum.is_met(stage.needed, counting)

    def _advance(self, at: datetime, actor: Actor = SYSTEM) -> None:
        """Open the step that is due, or settle when there is none left."""
        states: dict[int, list[str]] = {}
        for stage in self.stages:
            states.setdefault(stage.step, []).append(stage.state)
        step = quorum.next_step(states)
        if step is None:
            self._settle(Status.APPROVED, Kind.APPROVED, at, actor)
        for stage in self.stages:
            if stage.step == step and stage.state == Stage.State.WAITING:
                self._open(stage, at)
        self._reckon()

    def _open(self, stage: Stage, at: datetime) -> None:
        stage.state = Stage.State.OPEN
        stage.opened_at, stage.closed_at = at, None
        silence.begin(stage, at)
        self._say(
            Kind.STAGE_OPENED,
            at,
            stage=stage.name,
            groups=[group["name"] for group in stage.groups],
            needed=stage.needed,
            deadline_at=stage.deadline_at.isoformat() if stage.deadline_at else None,
        )

    def _close(self, stage: Stage, state: Stage.State, at: datetime) -> None:
        stage.state = state
        stage.closed_at = at
        # What is left of its SLA stays: whoever closed it in time has kept it.
        stage.deadline_at = stage.remind_at = None
        self._say(Kind.STAGE_CLOSED, at, stage=stage.name, state=str(state))

    def _expire(self, at: datetime, why: str) -> None:
        self._settle(Status.EXPIRED, Kind.EXPIRED, at, SYSTEM, why=why)

    def _settle(
        self, status: Status, kind: Kind, at: datetime, actor: Actor, **data: Any
    ) -> None:
        if self.request:
            self._close_request(ApprovalRequest.Outcome(status), at)
        action = self.action
        action.status = status
        if status == Status.APPROVED:
            action.grant_expires_at = at + action.grant
        if status != Status.CHANGES_REQUESTED:
            action.settled_at = action.settled_at or at
        self._say(kind, at, actor, **data)
        self._reckon()

    def counting(self) -> list[Vote]:
        """Return the approvals that count, in the order they were given."""
        counting = [vote for stage in self.stages for vote in self.approvers(stage)]
        return [vote for vote in self.votes if vote in counting]

    def _close_request(self, outcome: ApprovalRequest.Outcome, at: datetime) -> None:
        for stage in self.stages:
            if stage.state in (Stage.State.OPEN, Stage.State.WAITING):
                self._close(stage, Stage.State.CLOSED, at)
        request = self.request
        if request and request.closed_at is None:
            request.closed_at, request.outcome = at, outcome
            request.conditions = self.conditions()

    def conditions(self) -> list[str]:
        """Return every condition that approvers attached, in the order they spoke."""
        said = (text for vote in self.counting() for text in vote.sentences())
        return list(dict.fromkeys(said))

    def checks(self) -> list[dict[str, str]]:
        """Return those of the conditions that are checked when it runs."""
        found: list[dict[str, str]] = []
        for vote in self.counting():
            found.extend(check for check in vote.checks if check not in found)
        return found

    def progress(self) -> tuple[int, int]:
        """Return how many people have approved, and how many it takes.

        Silence is nobody: what it approved takes no more people than there were.
        """
        got = {s.pk: min(len(self.approvers(s)), s.needed) for s in self.stages}
        takes = (
            got[s.pk] if s.state == Stage.State.APPROVED else s.needed
            for s in self.stages
        )
        return sum(got.values()), sum(takes)

    def _reckon(self) -> None:
        """Work out when silence decides next, and when the clock next has work."""
        action = self.action
        if action.status != Status.PENDING:
            action.deadline_at = action.due_at = None
            return
        stages = self.open_stages()
        deadlines = [stage.deadline_at for stage in stages] + [action.expires_at]
        action.deadline_at = min(filter(None, deadlines), default=None)
        marks = [stage.sla_at for stage in stages] + [action.deadline_at]
        marks += [stage.remind_at for stage in stages]
        action.due_at = min(filter(None, marks), default=None)

    def _say(
        self, kind: Kind, at: datetime, actor: Actor = SYSTEM, **data: Any
    ) -> None:
        self.happenings.append(Happening(kind, at, actor, data))


def eligible(
    stages: Sequence[Stage], seats: Sequence[int], rightful: Mapping[int, Set[int]]
) -> tuple[Stage, int] | None:
    """Return the open stage on which a vote counts, and whose right it uses, if any.

    ``seats`` are the rights a person holds, their own first. Of several stages the one
    that the fewest others could satisfy: so nobody is used up where somebody else would
    do.
    """
    for seat in seats:
        fitting = [s for s in stages if s.is_open() and seat in rightful[s.pk]]
        if fitting:
            return min(fitting, key=lambda stage: len(rightful[stage.pk])), seat
    return None
