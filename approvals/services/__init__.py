"""Every way the life of an action can change.

Nothing else in the project writes ``Action.status``, a stage or a vote: the console,
the agents' API, commands and jobs all call these functions. Each locks the action,
lets silence speak first, refuses or acts, and records what happened, in one
transaction.
"""

from __future__ import annotations

from approvals.services.attention import claim, reassign, snooze, unclaim, wake
from approvals.services.bulk import decide_each
from approvals.services.bypasses import review_bypass
from approvals.services.deadlines import settle
from approvals.services.delegation import delegate, end_delegation
from approvals.services.execution import cancel, consume, report
from approvals.services.glass import break_glass, mend_glass, release
from approvals.services.presets import remove_preset, save_preset
from approvals.services.printing import print_story
from approvals.services.review import decide, view
from approvals.services.revision import rejudge, revise
from approvals.services.submission import Proposal, submit

__all__ = [
    "Proposal",
    "break_glass",
    "cancel",
    "claim",
    "consume",
    "decide",
    "decide_each",
    "delegate",
    "end_delegation",
    "mend_glass",
    "print_story",
    "reassign",
    "rejudge",
    "release",
    "remove_preset",
    "report",
    "review_bypass",
    "revise",
    "save_preset",
    "settle",
    "snooze",
    "submit",
    "unclaim",
    "view",
    "wake",
]
