"""What happened, in the server's own words?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from governance.ledger import Kind
from governance.models import Event
from governance.text_safety import visible_line

HEADLINES = {
    Kind.STAGE_OPENED: "Approval needed",
    Kind.REMINDED: "Reminder: approval needed",
    Kind.ESCALATED: "Escalated: approval needed",
    Kind.REASSIGNED: "Passed on: approval needed",
    Kind.SLA_BREACHED: "Still waiting for a decision",
    Kind.HELD: "Still waiting, now without a deadline",
    Kind.UNREACHABLE: "Nobody can decide this",
    Kind.APPROVED: "Approved",
    Kind.REJECTED: "Rejected",
    Kind.CHANGES_REQUESTED: "Changes requested",
    Kind.EXPIRED: "Expired",
    Kind.CANCELLED: "Cancelled",
    Kind.BYPASSED: "Went ahead without approval",
    Kind.BYPASS_REVIEWED: "Reviewed after break-glass",
    Kind.FROZEN: "Frozen",
    Kind.THAWED: "Thawed",
    Kind.GLASS_BROKEN: "Glass broken",
    Kind.GLASS_MENDED: "Break-glass is over",
    Kind.WEBHOOK_DISABLED: "Webhook switched off",
    Kind.TROUBLE_BEGAN: "Something is stuck",
    Kind.TROUBLE_ENDED: "It goes on again",
    Kind.WEBHOOK_STUCK: "An agent cannot be told",
}


def headline(event: Event) -> str:
    """Return what happened in a few words: ``Approved by alice``."""
    words = HEADLINES[Kind(event.kind)]
    if event.actor_kind == "person":
        return f"{words} by {line(event.actor_name)}"
    return words


def explanation(event: Event) -> str:
    """Return what it means for those who hear of it, in a sentence or two."""
    explain = EXPLANATIONS.get(Kind(event.kind), _outcome)
    return explain(event.data)


def _opened(data: dict[str, Any]) -> str:
    needed = count(data["needed"], "approval")
    return (
        "An agent waits for an answer before it does this. "
        f"That takes {needed} from {either(data['groups'])}."
    )


def _reminded(data: dict[str, Any]) -> str:
    return "An agent still waits, and your answer is among those it waits for."


def _escalated(data: dict[str, Any]) -> str:
    if not data["groups"]:
        return "Nobody decided in time. It has as much time again."
    return f"Nobody decided in time, so {both(data['groups'])} can decide now as well."


def _reassigned(data: dict[str, Any]) -> str:
    return (
        f"It belongs to {either(data['groups'])}, say those it was with: "
        f"{line(data['reason'])}"
    )


def _breached(data: dict[str, Any]) -> str:
    return "An agent has waited for an answer longer than it should have to."


def _held(data: dict[str, Any]) -> str:
    return "Nobody decided in time. It goes on waiting until somebody does."


def _unreachable(data: dict[str, Any]) -> str:
    return (
        f"The stage {line(data['stage'])} needs "
        f"{count(data['needed'], 'approval')}, and {count(data['able'], 'person')} "
        "can give one. Put people into its groups; until then it can only time out."
    )


def _bypassed(data: dict[str, Any]) -> str:
    return (
        f"{line(data['broken_by'])} broke the glass: {line(data['reason'])} "
        "If it runs, somebody who would have been asked has to review it."
    )


def _bypass_reviewed(data: dict[str, Any]) -> str:
    return f"{line(data['verdict']).capitalize()}: {line(data['comment'])}"


def _frozen(data: dict[str, Any]) -> str:
    return (
        "Nothing of it is submitted or done, whatever was approved before. "
        f"{line(data['reason'])}"
    )


def _thawed(data: dict[str, Any]) -> str:
    return f"It goes on at once. {line(data['reason'])}"


def _glass_broken(data: dict[str, Any]) -> str:
    return (
        "What needs approval goes ahead without it, and is reviewed afterwards. "
        f"{line(data['reason'])}"
    )


def _glass_mended(data: dict[str, Any]) -> str:
    return "People are asked again."


def _webhook_disabled(data: dict[str, Any]) -> str:
    return f"{line(data['reason'])} The agent is told nothing there any more."


def _webhook_stuck(data: dict[str, Any]) -> str:
    return (
        "Messages to its webhook are given up; they can be replayed on its page. "
        f"{line(data['reason'])}"
    )


def _trouble_began(data: dict[str, Any]) -> str:
    return "It does not go on by itself: somebody who runs this has to look at it."


def _trouble_ended(data: dict[str, Any]) -> str:
    return "Whatever was wrong is over."


def _outcome(data: dict[str, Any]) -> str:
    why = data.get("why")
    return f"{line(why[:1].upper() + why[1:])}." if why else ""


EXPLANATIONS: dict[Kind, Callable[[dict[str, Any]], str]] = {
    Kind.STAGE_OPENED: _opened,
    Kind.REMINDED: _reminded,
    Kind.ESCALATED: _escalated,
    Kind.REASSIGNED: _reassigned,
    Kind.SLA_BREACHED: _breached,
    Kind.HELD: _held,
    Kind.UNREACHABLE: _unreachable,
    Kind.BYPASSED: _bypassed,
    Kind.BYPASS_REVIEWED: _bypass_reviewed,
    Kind.FROZEN: _frozen,
    Kind.THAWED: _thawed,
    Kind.GLASS_BROKEN: _glass_broken,
    Kind.GLASS_MENDED: _glass_mended,
    Kind.WEBHOOK_DISABLED: _webhook_disabled,
    Kind.TROUBLE_BEGAN: _trouble_began,
    Kind.TROUBLE_ENDED: _trouble_ended,
    Kind.WEBHOOK_STUCK: _webhook_stuck,
}


def line(text: str) -> str:
    return visible_line(text)


def either(names: list[str]) -> str:
    return " or ".join(line(name) for name in names) or "nobody"


def both(names: list[str]) -> str:
    return " and ".join(line(name) for name in names)


def count(number: int, noun: str) -> str:
    plural = {"person": "people"}.get(noun, f"{noun}s")
    return f"{number} {noun if number == 1 else plural}"
