"""How long does the console take with a million requests, of which 5,000 wait?

Measured as the person with the most on their hands sees it: a manager whose group is
asked about all of them, and who has decided on every twentieth. Filling takes minutes;
``BENCH_REQUESTS`` makes it fewer, and the table says how many they were.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from bench import apart
from bench.figures import Figure

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "1_000_000"))
WAITING = 5_000
MOST_MS = 200


def measure() -> Iterator[Figure]:
    for database, url in apart.databases():
        for page, ms in median_ms(url, REQUESTS, WAITING).items():
            name = f"{page}, {REQUESTS:,} requests, {database}"
            yield Figure(name, ms, "ms", MOST_MS)


def median_ms(url: str, requests: int, waiting: int) -> dict[str, float]:
    """Fill the database with so many, and return how long each page takes."""
    apart.manage(url, "migrate", "-v0")
    apart.run(url, "-m", "bench.crowd", str(requests), str(waiting))
    found: dict[str, float] = json.loads(apart.run(url, "-m", "bench.visits"))
    return found
