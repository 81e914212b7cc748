"""How long does it take, in the middle and at worst? Times counted in narrow classes.

A class is 2 % wide, so that a percentile read from the counts is at most 1 % off,
and the counts of several days add up. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

WIDTH = 1.02
# How many classes make one where many people's times are kept: then it is 10 % wide.
COARSE = 5
# What takes less is counted as this long, in seconds.
LEAST = 0.1


def class_of(seconds: float) -> int:
    return math.floor(math.log(max(seconds, LEAST)) / math.log(WIDTH))


def percentile(
    counts: Mapping[int, int], part: float, width: float = WIDTH
) -> float | None:
    """Return how many seconds this part of all takes at most; None of nothing."""
    rank = math.ceil(part * sum(counts.values()))
    passed = 0
    for number in sorted(counts):
        passed += counts[number]
        if passed >= rank:
            return float(width ** (number + 0.5))
    return None


def median(counts: Mapping[int, int], width: float = WIDTH) -> float | None:
    return percentile(counts, 0.5, width)


def coarse_median(counts: Mapping[int, int]) -> float | None:
    """The same of coarse classes."""
    return median(counts, WIDTH**COARSE)
