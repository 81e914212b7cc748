"""What does a chart show? Its series and where each bar leads; and the same as a table.

unfold's components draw it with Chart.js from attributes of the page: no script is in
it. A chart is a picture; whoever cannot see it, or cannot click, has the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from approvals.console.dashboard.said import NOTHING

# Legible on white and on near black.
_WORDS = "#7c8594"
_LINES = "rgba(125, 135, 150, .22)"


@dataclass(frozen=True, slots=True)
class Cell:
    """One number, and where the rows behind it are. Nothing to count is None."""

    value: float | None
    link: str = ""

    @property
    def shown(self) -> str:
        if self.value is None:
            return NOTHING
        return (
            f"{self.value:,.0f}"
            if self.value == int(self.value)
            else f"{self.value:,.1f}"
        )


@dataclass(frozen=True, slots=True)
class Series:
    title: str
    colour: str
    cells: Sequence[Cell]

    @property
    def total(self) -> float:
        return sum(cell.value or 0 for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over the same slots. ``kind`` is bar, stacked, or line."""

    name: str
    title: str
    slots: Sequence[str]
    series: Sequence[Series]
    kind: str = "bar"
    unit: str = ""

    @property
    def is_line(self) -> bool:
        return self.kind == "line"

    @property
    def is_empty(self) -> bool:
        return not any(cell.value for each in self.series for cell in each.cells)

    @property
    def data(self) -> str:
        """Return what Chart.js draws, with the links that dashboard.js follows."""
        return json.dumps(
            {"labels": list(self.slots), "datasets": list(map(self._set, self.series))}
        )

    def _set(self, series: Series) -> dict[str, Any]:
        return {
            "label": series.title,
            "data": [cell.value for cell in series.cells],
            "links": [cell.link for cell in series.cells],
            "backgroundColor": series.colour,
            "borderColor": series.colour,
            "borderRadius": 2,
            "maxBarThickness": 28,
            "borderWidth": 2 if self.is_line else 0,
            "pointRadius": 3 if self.is_line else 0,
            "spanGaps": False,
            "tension": 0.25,
        }

    @property
    def options(self) -> str:
        stacked = self.kind == "stacked"
        y: dict[str, Any] = {"beginAtZero": True, "stacked": stacked}
        if self.unit == "%":
            y["max"] = 100
        return json.dumps(
            {
                "animation": False,
                "responsive": True,
                "maintainAspectRatio": False,
                "interaction": {"mode": "index", "intersect": False},
                "plugins": {"legend": {"display": False}},
                "scales": {
                    "x": _axis({"stacked": stacked}, lines=False),
                    "y": _axis(y, lines=True),
                },
            }
        )

    def rows(self) -> Iterator[tuple[str, list[Cell]]]:
        """Yield each slot in which something was, with its cells."""
        for at, slot in enumerate(self.slots):
            cells = [each.cells[at] for each in self.series]
            if any(cell.value for cell in cells):
                yield slot, cells


def _axis(more: dict[str, Any], *, lines: bool) -> dict[str, Any]:
    return {
        "border": {"display": False},
        "grid": {"display": lines, "color": _LINES},
        "ticks": {
            "color": _WORDS,
            "maxRotation": 0,
            "autoSkipPadding": 14,
            "maxTicksLimit": 12 if not lines else 6,
            "precision": 0,
        },
        **more,
    }
