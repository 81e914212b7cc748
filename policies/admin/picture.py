"""What does a flow look like? Its stages, side by side where they are open together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from governance.models import User
from policies import durations, rules
from policies.models import Flow, FlowStage
from policies.rules import Do, OnTimeout, Silence

ICONS = {
    Do.REMIND: "notifications_active",
    Do.ESCALATE: "group_add",
    Do.REJECT: "timer_off",
    Do.HOLD: "all_inclusive",
    Do.APPROVE: "done_all",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that silence does, and when."""

    after: str
    words: str
    icon: str
    do: str


@dataclass(frozen=True, slots=True)
class Box:
    """One stage. ``able`` is how many people could approve, None where nobody asked."""

    name: str
    needed: int
    groups: str
    able: int | None
    rejections: int
    calendar: str
    sla: str
    marks: list[Mark]

    @property
    def is_deserted(self) -> bool:
        return self.able is not None and self.able < self.needed


def columns(flow: Flow, *, counted: bool = False) -> list[list[Box]]:
    """Return the stages step by step. ``counted``: with how many people there are."""
    stages = list(flow.stages.all())
    able = _able(stages) if counted else {}
    return [
        [_box(stage, able.get(stage.pk)) for stage in together]
        for _, together in groupby(stages, key=lambda stage: stage.step)
    ]


def _able(stages: Sequence[FlowStage]) -> dict[int, int]:
    """Count the active members of each stage's groups. Owners are not known here."""
    groups = {group.pk for stage in stages for group in stage.groups.all()}
    people = defaultdict(set)
    rows = User.groups.through.objects.filter(group__in=groups, user__is_active=True)
    for group, person in rows.values_list("group_id", "user_id"):
        people[group].add(person)
    return {
        stage.pk: len(set().union(*(people[g.pk] for g in stage.groups.all())))
        for stage in stages
    }


def _box(stage: FlowStage, able: int | None) -> Box:
    return Box(
        name=stage.name,
        needed=stage.approvals,
        groups=_either(group.name for group in stage.groups.all()),
        able=able,
        rejections=stage.rejections,
        calendar=stage.calendar.name if stage.calendar else "",
        sla=durations.text(stage.sla) if stage.sla else "",
        marks=list(_marks(stage)),
    )


def _marks(stage: FlowStage) -> Iterator[Mark]:
    for step in chain(stage):
        yield Mark(durations.text(step.after), _words(step), ICONS[step.do], step.do)
    if not chain(stage):
        yield Mark("", "waits for ever", ICONS[Do.HOLD], Do.HOLD)


def chain(stage: FlowStage) -> tuple[Silence, ...]:
    """Return what silence does at this stage, however it was written."""
    steps = (
        Silence(durations.parse(s["after"]), Do(s["do"]), tuple(s["to"]), s["max_risk"])
        for s in stage.silence
    )
    return rules.Stage(
        name=stage.name,
        groups=(),
        timeout=stage.timeout,
        on_timeout=OnTimeout(stage.on_timeout),
        escalate_to=tuple(group.name for group in stage.escalate_to.all()),
        auto_approve_max_risk=stage.auto_approve_max_risk,
        silence=tuple(steps),
    ).chain()


def _words(step: Silence) -> str:
    match step.do:
        case Do.REMIND:
            return "remind"
        case Do.ESCALATE:
            return f"ask {', '.join(step.to)} as well"
        case Do.REJECT:
            return "expires"
        case Do.HOLD:
            return "waits on"
        case Do.APPROVE:
            return f"approved up to risk {step.max_risk}"


def _either(names: Iterable[str]) -> str:
    return " or ".join(sorted(names))
