"""The console's pages of the rules. ``policies.services`` does all the writing."""

from __future__ import annotations

from policies.admin.calendars import CalendarAdmin
from policies.admin.catalogue import ActionTypeAdmin, ResourceAdmin
from policies.admin.flows import FlowAdmin
from policies.admin.history import ProposedChangeAdmin, RevisionAdmin
from policies.admin.judging import (
    LookbackAdmin,
    PolicyAdmin,
    RiskFactorAdmin,
    RuleSetAdmin,
)
from policies.admin.tests import PolicyTestAdmin
from policies.admin.trying import BacktestAdmin

__all__ = [
    "ActionTypeAdmin",
    "BacktestAdmin",
    "CalendarAdmin",
    "FlowAdmin",
    "LookbackAdmin",
    "PolicyAdmin",
    "PolicyTestAdmin",
    "ProposedChangeAdmin",
    "ResourceAdmin",
    "RevisionAdmin",
    "RiskFactorAdmin",
    "RuleSetAdmin",
]
