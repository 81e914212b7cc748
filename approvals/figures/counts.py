"""What is counted, of one stretch of time? Counts that add up, and can be kept as JSON.

Pure. Each count is by a tuple of texts and numbers: ``settled["people", "approved"]``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any, Self

Key = tuple[str | int | bool, ...]
Count = Counter[Key]


@dataclass(slots=True)
class Counts:
    # Actions by decision and band of risk: ("ALLOW", "low").
    judged: Count = field(default_factory=Counter)
    # What the risks of all of them add up to: ().
    risk: Count = field(default_factory=Counter)
    # Requests by how they were settled, and with what outcome: ("people", "rejected").
    settled: Count = field(default_factory=Counter)
    # The same by the key of the agent, and by the name of the policy that asked.
    agents: Count = field(default_factory=Counter)
    policies: Count = field(default_factory=Counter)
    # Votes by the key of the person and verdict: (3, "approve").
    people: Count = field(default_factory=Counter)
    # Decisions by stage and class of time: ("Manager", 210).
    times: Count = field(default_factory=Counter)
    # Stages that had an SLA, by name and whether it was kept: ("Manager", True).
    sla: Count = field(default_factory=Counter)
    # How long people looked before they decided, in coarse classes: (3, 15).
    looks: Count = field(default_factory=Counter)
    # How people decided: (3, "quick"). See ``measuring``.
    care: Count = field(default_factory=Counter)

    def add(self, other: Counts) -> Self:
        for each in fields(self):
            getattr(self, each.name).update(getattr(other, each.name))
        return self

    def as_data(self) -> dict[str, list[Any]]:
        """Return it as JSON: the parts of each key, and the number."""
        return {
            each.name: [[*key, n] for key, n in getattr(self, each.name).items()]
            for each in fields(self)
        }

    @classmethod
    def from_data(cls, data: dict[str, list[Any]]) -> Self:
        return cls(
            **{
                name: Counter({tuple(key): n for *key, n in rows})
                for name, rows in data.items()
            }
        )


def total(all_counts: Iterable[Counts]) -> Counts:
    found = Counts()
    for counts in all_counts:
        found.add(counts)
    return found


def by(count: Count, place: int) -> Counter[Any]:
    """Add up a count by one part of its key."""
    found: Counter[Any] = Counter()
    for key, n in count.items():
        found[key[place]] += n
    return found
