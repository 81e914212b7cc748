"""What is a figure? A number with a unit, beside the limit it has to keep."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured. Without a limit it is only told."""

    name: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def ratio(self) -> float | None:
        """How much of the limit it takes: more than 1 is too much."""
        return None if self.limit is None else self.value / self.limit

    @property
    def kept(self) -> bool:
        return self.ratio is None or self.ratio <= 1


def table(figures: Iterable[Figure]) -> Iterator[str]:
    """Yield the lines of a table for a terminal."""
    rows = [("figure", "measured", "limit", "ratio", ""), *map(_row, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for name, *numbers, verdict in rows:
        cells = [n.rjust(w) for n, w in zip(numbers, widths[1:], strict=True)]
        yield "  ".join([name.ljust(widths[0]), *cells, verdict]).rstrip()


def write(figures: Iterable[Figure], file: Path) -> None:
    """Keep the figures as JSON, to be compared with those of another day."""
    file.parent.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, Any]] = [
        {**asdict(each), "ratio": each.ratio} for each in figures
    ]
    file.write_text(json.dumps(entries, indent=2) + "\n")


def _row(figure: Figure) -> tuple[str, ...]:
    limit = "" if figure.limit is None else f"{figure.limit:,g} {figure.unit}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    verdict = "" if figure.kept else "TOO MUCH"
    return figure.name, f"{figure.value:,.4g} {figure.unit}", limit, ratio, verdict
