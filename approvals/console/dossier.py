"""What is the whole story of one action? Everything on record about it, to be printed.

It is told from the record: each revision as it was judged, who decided what in which
words, what became of the permission, and every event with its id. Nothing is cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from approvals.console import facts, words
from approvals.models import ApprovalRequest, Stage, Vote
from approvals.services import storage
from governance import canonical
from governance import words as record
from governance.ledger import Kind
from governance.models import Action, Event, Status
from policies import evaluations
from policies.evaluations import Evaluation

# An agent may try a thousand times; what does not fit is named by its ids.
MOST_EVENTS = 2_000
JUDGED = {
    Kind.SUBMITTED: "Submitted",
    Kind.REVISED: "Revised by the agent",
    Kind.JUDGED_AGAIN: "Judged again by later rules",
}
SAYS = {
    "ALLOW": "Allowed",
    "BLOCK": "Blocked",
    "REQUIRE_APPROVAL": "Approval by people required",
}
TOLD = {Kind.NOTIFIED, Kind.NOTIFICATION_FAILED}
SPENT = {Kind.CONSUMED, Kind.CONSUME_REFUSED, Kind.OUTCOME_REPORTED}


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it is on record. ``data`` is everything it says, as JSON."""

    event: Event
    body: Mapping[str, Any]

    @property
    def data(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = self.body["data"]
        return data

    @property
    def what(self) -> str:
        return record.kind(self.event.kind)

    @property
    def who(self) -> str:
        name, kind = self.event.actor_name, self.event.actor_kind
        return f"{name} ({kind})" if name and name != kind else kind

    @property
    def action(self) -> Mapping[str, Any]:
        return self.body["action"] or {}

    @property
    def text(self) -> str:
        return json.dumps(self.data, ensure_ascii=False, sort_keys=True)

    @property
    def people(self) -> str:
        return words.listed(list(map(str, self.data.get("people", []))))

    @property
    def detail(self) -> list[facts.Fact]:
        """What an agent told about the outcome."""
        told = self.data.get("detail")
        return list(facts.flatten(told)) if told else []


@dataclass(frozen=True, slots=True)
class StageTold:
    """One requirement with what was said to it."""

    stage: Stage
    votes: list[tuple[Vote, str]]

    @property
    def groups(self) -> str:
        return words.listed([group["name"] for group in self.stage.groups], "or")

    @property
    def state(self) -> str:
        return str(Stage.State(self.stage.state).label).lower()


@dataclass(frozen=True, slots=True)
class Chapter:
    """One revision: what would run, how it was judged, and what people said."""

    line: Line
    request: ApprovalRequest | None

    @property
    def number(self) -> int:
        return int(self.line.action["revision"])

    @property
    def how(self) -> str:
        return JUDGED[Kind(self.line.event.kind)]

    @property
    def data(self) -> Mapping[str, Any]:
        return self.line.data

    @property
    def digest(self) -> str:
        return str(self.line.action["digest"])

    @property
    def is_sound(self) -> bool:
        """Whether the digest still is that of what is on record."""
        name, data = self.line.action["name"], self.data
        return canonical.digest(name, data["params"], data["resource"]) == self.digest

    @property
    def params(self) -> list[facts.Fact]:
        return list(facts.flatten(self.data["params"])) if self.data["params"] else []

    @property
    def context(self) -> list[facts.Fact]:
        told = self.data.get("context")
        return list(facts.flatten(told)) if told else []

    @property
    def verdict(self) -> str:
        return SAYS[self.data["decision"]]

    @property
    def judged(self) -> Evaluation | None:
        return evaluations.read(self.line.event)

    @property
    def reasons(self) -> list[tuple[Mapping[str, Any], str]]:
        """Each reason, and what decided it in words."""
        judged = self.judged
        told = judged.explained.policies if judged else ()
        sentences = {each.name: each.sentence for each in told}
        return [(r, sentences.get(r["policy"] or "", "")) for r in self.data["reasons"]]

    @property
    def risk_parts(self) -> list[Mapping[str, Any]]:
        parts: list[Mapping[str, Any]] = (self.data.get("trace") or {}).get("risk", [])
        return parts

    @property
    def stages(self) -> list[StageTold]:
        if self.request is None:
            return []
        votes = [(v, _said(v)) for v in self.request.votes.all()]
        return [
            StageTold(stage, [each for each in votes if each[0].stage_id == stage.pk])
            for stage in self.request.stages.all()
        ]

    @property
    def outcome(self) -> str:
        if self.request is None or not self.request.outcome:
            return "open"
        return words.outcome(self.request).text.lower()


def _said(vote: Vote) -> str:
    return words.VERDICTS[Vote.Verdict(vote.verdict)].text


class Dossier:
    """One action at one moment, to the end."""

    def __init__(self, action: Action, at: datetime) -> None:
        [self.course] = storage.courses(Action.objects.filter(pk=action.pk))
        self.action, self.at = self.course.action, at
        self.recorded = self.action.status
        self.course.lapse(at)

    @property
    def status(self) -> str:
        return words.STATUSES[Status(self.action.status)].text

    @property
    def is_ahead(self) -> bool:
        """Whether the clock has decided something that no worker has written yet."""
        return self.action.status != self.recorded

    @cached_property
    def lines(self) -> list[Line]:
        rows = Event.objects.about(self.action)[:MOST_EVENTS]
        return [Line(event, json.loads(event.body)) for event in rows]

    @cached_property
    def left_out(self) -> list[int]:
        """The ids of events that do not fit, from and to."""
        if len(self.lines) < MOST_EVENTS:
            return []
        rest = Event.objects.about(self.action).filter(pk__gt=self.lines[-1].event.pk)
        ends = [rest.first(), rest.last()]
        return [event.pk for event in ends if event]

    @cached_property
    def chapters(self) -> list[Chapter]:
        return list(self._chapters())

    def _chapters(self) -> Iterator[Chapter]:
        requests: list[ApprovalRequest] = self.action.revisions  # type: ignore[attr-defined]
        of = {request.revision: request for request in requests}
        for line in self.lines:
            if line.event.kind in JUDGED:
                yield Chapter(line, of.get(line.action["revision"]))

    @property
    def messages(self) -> list[Line]:
        return [line for line in self.lines if line.event.kind in TOLD]

    @property
    def use(self) -> list[Line]:
        return [line for line in self.lines if line.event.kind in SPENT]
