"""How do templates show what others wrote? Through these filters, without exception."""

from __future__ import annotations

from datetime import UTC, datetime

from django.template import Library
from django.utils.safestring import SafeString

from approvals.console import facts

register = Library()


@register.filter
def reveal(text: object) -> SafeString:
    """Show a text of several lines, with everything hidden spelled out."""
    return facts.reveal(str(text))


@register.filter
def line(text: object) -> SafeString:
    """Show a text on one line, with everything hidden spelled out."""
    return facts.reveal_line(str(text))


@register.filter
def iso(at: datetime) -> str:
    """The exact time, for machines and for those who hover."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
