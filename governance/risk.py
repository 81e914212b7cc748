"""Which risk is low, and which is high? Points from 0 to 100, in four bands."""

from __future__ import annotations

from django.db.models import Q

BANDS = {
    "low": range(25),
    "medium": range(25, 50),
    "high": range(50, 75),
    "critical": range(75, 101),
}


def band_of(points: int) -> str:
    return next(name for name, band in BANDS.items() if points in band)


def within(band: str) -> Q:
    """Select what has as many points as that."""
    points = BANDS[band]
    return Q(risk__gte=points.start, risk__lt=points.stop)
