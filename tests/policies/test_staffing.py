"""Whether there are people for all stages, compared with trying every way."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from policies.staffing import staffed

people = st.frozensets(st.integers(1, 5), max_size=4)
stages = st.lists(st.tuples(st.integers(1, 2), people), max_size=3)


def every_way(asked: list[tuple[int, frozenset[int]]]) -> int:
    """Return how many places can be filled, trying each person at each stage."""
    everybody = sorted(frozenset().union(*(who for _, who in asked)))
    best = 0
    for places in product(range(-1, len(asked)), repeat=len(everybody)):
        filled = [
            sum(
                place == stage and person in who
                for place, person in zip(places, everybody, strict=True)
            )
            for stage, (_, who) in enumerate(asked)
        ]
        kept = (min(n, needed) for n, (needed, _) in zip(filled, asked, strict=True))
        best = max(best, sum(kept))
    return best


@given(stages)
def test_as_many_places_are_filled_as_can_be(
    asked: list[tuple[int, frozenset[int]]],
) -> None:
    found = staffed(asked)

    assert sum(found) == every_way(asked)
    assert all(n <= needed for n, (needed, _) in zip(found, asked, strict=True))


def test_the_later_stage_is_the_one_that_lacks_people() -> None:
    assert staffed([(1, {1}), (1, {1})]) == [1, 0]


def test_somebody_moves_where_nobody_else_could_be() -> None:
    assert staffed([(1, {1, 2}), (1, {1}), (1, {2, 3})]) == [1, 1, 1]
