"""Lets a page about a request say whom it was told to."""

from __future__ import annotations

from django.template import Library

from approvals.models import ApprovalRequest
from notifications.told import Told
from notifications.told import told as told_of

register = Library()


@register.filter
def told(request: ApprovalRequest) -> list[Told]:
    return told_of(request.action, request.pk)
