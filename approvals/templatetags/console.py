"""How do templates show what others wrote? Through these filters, without exception."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.template import Library
from django.utils.safestring import SafeString

from approvals.console import changes, facts, revealing, words
from approvals.course import Course
from approvals.models import ApprovalRequest, Stage

register = Library()


@register.filter
def reveal(text: object) -> SafeString:
    """Show a text of several lines, with everything hidden spelled out."""
    return revealing.reveal(str(text))


@register.filter
def line(text: object) -> SafeString:
    """Show a text on one line, with everything hidden spelled out."""
    return revealing.reveal_line(str(text))


@register.filter
def instead_of(
    after: Mapping[str, Any], before: Mapping[str, Any]
) -> list[changes.Change]:
    """What these parameters change of others."""
    return changes.between(before, after)


@register.filter
def told(fact: facts.Fact) -> SafeString:
    """Show one value, be it empty."""
    return revealing.reveal(fact.text or fact.kind)


@register.filter
def parts(found: list[facts.Fact]) -> list[facts.Part]:
    """All values, with a heading over each part that is large."""
    return facts.parts(found)


@register.filter
def progress(course: Course) -> str:
    """How far it is, and who is still needed."""
    return words.progress(course)


@register.filter
def rejected(course: Course, stage: Stage) -> int:
    """How many people have rejected at this stage, where it takes several."""
    return len(course.rejections(stage))


@register.filter
def ahead(stage: Stage) -> list[words.Ahead]:
    """What silence will do at this stage, and when."""
    return words.ahead(stage)


@register.filter
def outcome(request: ApprovalRequest) -> words.Label:
    """What came of a request, in the colour it has everywhere."""
    return words.outcome(request)


@register.filter
def iso(at: datetime) -> str:
    """The exact time, for machines and for those who hover."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
