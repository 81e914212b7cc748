"""The life of an action as anybody would tell it, in plain Python and without a database.

What the services do is held against this, step by step (``test_life.py``). Times are
minutes. It shares nothing with the code it is about but the names of the statuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

GRANT = 90
# Who is asked, how many it takes, and what silence does: (minutes, what, whom as well).
Terms = tuple[int, tuple[str, ...], int, int, tuple[tuple[int, str, str], ...]]
FLOWS: dict[str, list[Terms]] = {
    # step, groups, approvals, rejections, silence
    "pay.one": [
        (
            1,
            ("managers",),
            1,
            1,
            ((90, "remind", ""), (270, "escalate", "finance"), (510, "reject", "")),
        )
    ],
    "pay.two": [(1, ("managers",), 2, 2, ((390, "reject", ""),))],
    "pay.steps": [
        (1, ("managers",), 1, 1, ((330, "reject", ""),)),
        (1, ("finance",), 1, 1, ((570, "hold", ""),)),
        (2, ("chiefs",), 1, 1, ()),
    ],
    "pay.auto": [(1, ("managers",), 1, 1, ((210, "approve", ""),))],
    "pay.risky": [(1, ("managers",), 1, 1, ((210, "approve", ""),))],
}
STRAIGHT = {"pay.free": "allowed", "pay.never": "blocked"}
KINDS = [*FLOWS, *STRAIGHT]
APPROVES_ITSELF = {"pay.auto"}
OPEN = ("pending", "changes_requested")


@dataclass
class World:
    """Who is in which group, who stands in for whom, and what is frozen."""

    owner: str
    groups: dict[str, set[str]]
    stand_ins: dict[str, str] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    # What the chiefs are asked about as well, by the rules of now.
    stricter: set[str] = field(default_factory=set)

    def seats(self, person: str) -> list[str]:
        """Whose right a person may use: their own, then the nearest, by name."""
        found: dict[str, tuple[str, ...]] = {person: (person,)}
        latest = [person]
        while latest:
            ways = {
                holder: (*found[to], holder)
                for holder, to in sorted(self.stand_ins.items())
                if to in latest and holder not in found
            }
            found.update(ways)
            latest = list(ways)
        return [seat for seat, way in found.items() if self.owner not in way]

    def loops(self, person: str, to: str) -> bool:
        while to in self.stand_ins and to != person:
            to = self.stand_ins[to]
        return to == person


@dataclass
class Stage:
    step: int
    groups: set[str]
    needed: int
    rejections: int
    silence: list[tuple[int, str, str]]
    state: str = "waiting"
    opened: int = 0
    taken: int = 0

    def next(self) -> tuple[int, str, str] | None:
        left = self.silence[self.taken :]
        return (self.opened + left[0][0], left[0][1], left[0][2]) if left else None


@dataclass
class Life:
    """One action. Every verb returns the code of its refusal, or an empty text."""

    world: World
    kind: str
    at: int
    patience: int | None
    status: str = ""
    revision: int = 0
    ends: int | None = None
    grant_ends: int | None = None
    spent: bool = False
    # Whether the rules that judged it asked the chiefs as well.
    by: bool = False
    stages: list[Stage] = field(default_factory=list)
    # person, whose right, verdict, stage; nobody, when silence spoke.
    votes: list[tuple[str, str, str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ends = self.at + self.patience if self.patience else None
        self._judge(self.at)

    def _judge(self, at: int) -> None:
        self.revision += 1
        self.stages, self.votes = [], []
        self.status = STRAIGHT.get(self.kind, "pending")
        if self.status == "allowed":
            self.grant_ends = at + GRANT
        self.by = self.kind in self.world.stricter
        for step, groups, needed, rejections, silence in FLOWS.get(self.kind, []):
            also = {"chiefs"} if self.by else set()
            asked = set(groups) | also
            self.stages.append(Stage(step, asked, needed, rejections, list(silence)))
        if self.stages:
            self._advance(at)

    # What the clock does

    def lapse(self, now: int) -> None:
        while (mark := self._mark()) and mark[0] <= now:
            at, index = mark
            if index < 0:
                self._end("expired")
            else:
                self._silence(self.stages[index], index, at)

    def _mark(self) -> tuple[int, int] | None:
        if self.status in ("allowed", "approved"):
            assert self.grant_ends is not None
            return self.grant_ends, -1
        if self.status != "pending":
            return None
        marks = [(self.ends, -1)] if self.ends is not None else []
        for index, stage in enumerate(self.stages):
            if stage.state == "open" and (step := stage.next()):
                marks.append((step[0], index))
        return min(marks, default=None)

    def _silence(self, stage: Stage, index: int, at: int) -> None:
        step = stage.next()
        assert step
        stage.taken += 1
        if step[1] == "escalate":
            stage.groups.add(step[2])
        elif step[1] == "approve" and self.kind in APPROVES_ITSELF:
            self.votes.append(("", "", "approve", index))
            stage.state = "approved"
            self._advance(at)
        elif step[1] not in ("remind", "hold"):
            self._end("expired")

    # What people do

    def decide(self, person: str, verdict: str, now: int) -> str:
        self.lapse(now)
        if any((who, said) == (person, verdict) for who, _, said, _ in self.votes):
            return ""
        if self.status != "pending":
            return "expired" if self.status == "expired" else "already_decided"
        used = {name for vote in self.votes for name in vote[:2]}
        if person == self.world.owner:
            return "not_allowed"
        if person in used:
            return "already_voted"
        place = self._place(person, used)
        if place is None:
            return "not_allowed"
        seat, index = place
        self.votes.append((person, seat, verdict, index))
        self._follow(verdict, index, now)
        return ""

    def may(self, person: str) -> bool:
        used = {name for vote in self.votes for name in vote[:2]}
        mine = person not in used and person != self.world.owner
        return mine and self._place(person, used) is not None

    def own_rights(self) -> set[str]:
        """Who may without standing in for anybody, and before silence asked them."""
        asked = {name for terms in FLOWS[self.kind] for name in terms[1]}
        return set().union(*(self.world.groups[name] for name in asked))

    def next_mark(self) -> int | None:
        mark = self._mark()
        return mark[0] if mark else None

    def _place(self, person: str, used: set[str]) -> tuple[str, int] | None:
        """The first right that is of use, where the fewest others could help."""
        for seat in self.world.seats(person):
            fitting = [
                (len(self._rightful(stage)), index)
                for index, stage in enumerate(self.stages)
                if stage.state == "open" and seat in self._rightful(stage)
            ]
            if fitting and seat not in used:
                return seat, min(fitting)[1]
        return None

    def _rightful(self, stage: Stage) -> set[str]:
        people = set().union(*(self.world.groups[group] for group in stage.groups))
        return people - {self.world.owner}

    def _follow(self, verdict: str, index: int, now: int) -> None:
        stage = self.stages[index]
        rejecting = self._said(index, "reject") & self._rightful(stage)
        if verdict == "request_changes":
            self._end("changes_requested")
        elif verdict == "reject" and len(rejecting) >= stage.rejections:
            self._end("rejected")
        elif verdict == "approve" and self._carried(index):
            stage.state = "approved"
            if all(other.state == "approved" for other in self.stages):
                for place, other in enumerate(self.stages):
                    if not self._carried(place):
                        other.state = "waiting"
            self._advance(now)

    def _said(self, index: int, verdict: str) -> set[str]:
        return {v[1] for v in self.votes if v[2:] == (verdict, index)}

    def _carried(self, index: int) -> bool:
        """Approved by silence, or by enough people who still may."""
        said, stage = self._said(index, "approve"), self.stages[index]
        return "" in said or len(said & self._rightful(stage)) >= stage.needed

    def _advance(self, at: int) -> None:
        missing = [s.step for s in self.stages if s.state != "approved"]
        if not missing:
            self.status, self.grant_ends = "approved", at + GRANT
        for stage in self.stages:
            if stage.state == "waiting" and stage.step == min(missing):
                stage.state, stage.opened, stage.taken = "open", at, 0

    def _end(self, status: str) -> None:
        self.status = status
        for stage in self.stages:
            if stage.state != "approved":
                stage.state = "closed"

    def rejudge(self, now: int) -> str:
        self.lapse(now)
        if self.status != "pending":
            return "expired" if self.status == "expired" else "already_decided"
        if self.by == (self.kind in self.world.stricter):
            return "nothing_changed"
        # A freeze stops agents; people may still have it judged by stricter rules.
        self._judge(now)
        return ""

    # What the agent does

    def cancel(self, now: int) -> str:
        self.lapse(now)
        if self.status not in (*OPEN, "allowed", "approved", "cancelled"):
            return "not_cancellable"
        self._end("cancelled")
        return ""

    def revise(self, now: int) -> str:
        self.lapse(now)
        if self.status != "changes_requested":
            return "not_revisable"
        if self.kind in self.world.frozen:
            return "frozen"
        self.ends = now + self.patience if self.patience else None
        self._judge(now)
        return ""

    def consume(self, now: int, *, same: bool) -> str:
        self.lapse(now)
        if self.spent:
            return "already_consumed"
        if self.status == "expired" and self.grant_ends is not None:
            return "grant_expired"
        if self.status not in ("allowed", "approved"):
            return "not_approved"
        if not same:
            return "digest_mismatch"
        if self.kind in self.world.frozen:
            return "frozen"
        self.status, self.spent = "executing", True
        return ""

    def report(self, outcome: str, now: int) -> str:
        if self.status == outcome:
            return ""
        if self.status in ("succeeded", "failed"):
            return "outcome_conflict"
        if self.status not in ("executing", "unknown"):
            return "not_consumed"
        self.status = outcome
        return ""
