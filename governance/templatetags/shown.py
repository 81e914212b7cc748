"""How do pages show what people wrote? With everything hidden spelled out."""

from __future__ import annotations

from django.template import Library

from governance import risk
from governance.text_safety import visible_line

register = Library()


@register.filter
def line(text: object) -> str:
    """Show a text on one line. The template escapes it."""
    return visible_line(str(text))


@register.filter
def band(points: int) -> str:
    """Say in which band a risk is: low, medium, high or critical."""
    return risk.band_of(points)
