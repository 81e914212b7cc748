"""The console's pages about agents, the record and people."""

from __future__ import annotations

from governance.admin.agents import AgentAdmin
from governance.admin.events import EventAdmin
from governance.admin.freezes import FreezeAdmin
from governance.admin.groups import GroupAdmin
from governance.admin.people import UserAdmin
from governance.admin.record import ActionAdmin

__all__ = [
    "ActionAdmin",
    "AgentAdmin",
    "EventAdmin",
    "FreezeAdmin",
    "GroupAdmin",
    "UserAdmin",
]
