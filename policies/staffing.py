"""Are there enough people for every stage, when each of them counts only once?"""

from __future__ import annotations

from collections.abc import Sequence, Set


def staffed(asked: Sequence[tuple[int, Set[int]]]) -> list[int]:
    """Return how many different people each stage can have, up to what it needs.

    ``asked`` says for each stage how many it needs, and who may. Nobody is counted at
    two of them; earlier stages come first where there are too few for all.
    """
    place: dict[int, int] = {}

    def seat(stage: int, tried: set[int]) -> bool:
        """Find somebody for this stage, if others can move to make room."""
        for person in sorted(asked[stage][1] - tried):
            tried.add(person)
            if person not in place or seat(place[person], tried):
                place[person] = stage
                return True
        return False

    return [
        sum(seat(stage, set()) for _ in range(min(needed, len(people))))
        for stage, (needed, people) in enumerate(asked)
    ]
