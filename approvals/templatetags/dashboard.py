"""How do templates of the dashboard write numbers and tiles?"""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

register = template.Library()


@register.filter
def thousands(number: float) -> str:
    """Write a number so that it can be read: ``1,234``."""
    return f"{number:,.0f}"


@register.inclusion_tag("approvals/console/dashboard_tile.html", takes_context=True)
def tile(
    context: Context, title: str, number: int, tone: str = "", **wanted: str
) -> dict[str, Any]:
    """A number that leads to its requests; without ``wanted``, to what is overdue."""
    links = context["links"]
    link = links.requests(**wanted) if wanted else links.overdue()
    return {"title": title, "value": thousands(number), "tone": tone, "link": link}
