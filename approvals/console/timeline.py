"""What has happened so far, in words? Read from the ledger, oldest first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from approvals.console.words import STATUSES, VERDICTS, listed, moment
from approvals.models import Vote
from governance.ledger import Kind
from governance.models import Action, Event, Status

LONGEST = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One step. ``quote`` is what somebody wrote, in their own words."""

    at: datetime
    text: str
    icon: str
    tone: str
    quote: str = ""


def story(action: Action) -> tuple[list[Entry], int]:
    """Return the latest steps, and how many earlier ones are in the audit log only."""
    events = Event.objects.about(action)
    latest = list(events.reverse()[: LONGEST + 1])
    left_out = events.count() - LONGEST if len(latest) > LONGEST else 0
    entries = (tell(event) for event in reversed(latest[:LONGEST]))
    return [entry for entry in entries if entry], left_out


def tell(event: Event) -> Entry | None:
    """Say one step in words, None for what needs no line of its own."""
    teller, data = TELLERS.get(event.kind), event.data
    if teller is None:
        text, quote = event.kind.replace("_", " ").capitalize(), ""
    else:
        text, quote = teller(who(event), data)
    if not text:
        return None
    icon, tone = LOOKS.get(event.kind, ("circle", "quiet"))
    if event.kind == Kind.VOTED:
        tone = VERDICTS[Vote.Verdict(data["verdict"])].tone
    return Entry(event.at, text, icon, tone, quote)


def who(event: Event) -> str:
    """Name who did it, and in whose place."""
    if event.actor_kind in ("system", "policies"):
        return "Countersign"
    absent = event.data.get("on_behalf_of")
    return f"{event.actor_name} for {absent}" if absent else event.actor_name


Told = tuple[str, str]


def _voted(who: str, data: dict[str, Any]) -> Told:
    said = VERDICTS[Vote.Verdict(data["verdict"])].text
    via = "" if data["via"] in ("console", "system") else f", from {data['via']}"
    words = [data["comment"], *(f"On condition: {c}" for c in data["conditions"])]
    words += [f"Checked when it runs: {c['text']}" for c in data.get("checks", [])]
    if data.get("proposed_params") is not None:
        words.append("Proposed exact parameters.")
    others = ", together with others" if data.get("in_bulk") else ""
    return f"{who} {said} ({data['stage']}{via}{others})", "\n".join(
        filter(None, words)
    )


def _opened(who: str, data: dict[str, Any]) -> Told:
    groups, needed = listed(data["groups"], "or"), data["needed"]
    people = "one person" if needed == 1 else f"{needed} people"
    return f"{data['stage']}: {people} out of {groups} must approve", ""


def _closed(who: str, data: dict[str, Any]) -> Told:
    # A stage that closes because the request is over needs no line of its own.
    return (f"{data['stage']} is satisfied" if data["state"] == "approved" else "", "")


def _notified(who: str, data: dict[str, Any]) -> Told:
    channel = str(data.get("channel", "")).replace("_", "-")
    way = "in the console" if channel in ("in-app", "inapp", "") else f"by {channel}"
    return f"{listed(data.get('people', [])) or 'People'} notified {way}", ""


def _not_notified(who: str, data: dict[str, Any]) -> Told:
    people = listed(data.get("people", [])) or "somebody"
    return f"Could not reach {people} by {data.get('channel')}", data.get("error", "")


def _escalated(who: str, data: dict[str, Any]) -> Told:
    groups = listed(data["groups"]) or "nobody else"
    return f"{data['stage']}: nobody decided in time, {groups} asked as well", ""


def _reassigned(who: str, data: dict[str, Any]) -> Told:
    return f"{who} passed {data['stage']} on to {listed(data['groups'])}", data[
        "reason"
    ]


def _snoozed(who: str, data: dict[str, Any]) -> Told:
    if data["until"] is None:
        return f"{who} put it back into their queue", ""
    return f"{who} put it off until {moment(datetime.fromisoformat(data['until']))}", ""


def _refused(who: str, data: dict[str, Any]) -> Told:
    said = VERDICTS[Vote.Verdict(data["verdict"])].text
    return f"{who} {said}, and was refused", data["why"]


def _reported(who: str, data: dict[str, Any]) -> Told:
    return f"{who} reported: {STATUSES[Status(data['status'])].text.lower()}", ""


def _judged_again(who: str, data: dict[str, Any]) -> Told:
    said = {"ALLOW": "allowed", "BLOCK": "blocked"}.get(data["decision"])
    came = f"it is {said}" if said else "people are asked anew"
    return f"{who} had it judged again by the rules of now: {came}", ""


def _fixed(text: str) -> Callable[[str, dict[str, Any]], Told]:
    """Say the same every time, but for who did it and at which stage."""
    return lambda who, data: (text.format(who=who, stage=data.get("stage", "")), "")


TELLERS: dict[str, Callable[[str, dict[str, Any]], Told]] = {
    Kind.SUBMITTED: _fixed("{who} asked for permission"),
    Kind.REVISED: _fixed("{who} sent a changed version"),
    Kind.JUDGED_AGAIN: _judged_again,
    Kind.ALLOWED: _fixed("The policies allowed it"),
    Kind.BLOCKED: _fixed("The policies blocked it"),
    Kind.STAGE_OPENED: _opened,
    Kind.STAGE_CLOSED: _closed,
    Kind.NOTIFIED: _notified,
    Kind.NOTIFICATION_FAILED: _not_notified,
    Kind.WEBHOOK_SENT: _fixed("The agent was told by its webhook"),
    Kind.WEBHOOK_FAILED: lambda who, data: (
        "Could not tell the agent by its webhook",
        data.get("reason", ""),
    ),
    Kind.WEBHOOK_REPLAYED: _fixed("{who} had the agent told again by its webhook"),
    Kind.VIEWED: _fixed("{who} opened it"),
    Kind.PRINTED: _fixed("{who} opened its story to print it"),
    Kind.VOTED: _voted,
    Kind.APPROVED: _fixed("Approved: the agent may go ahead"),
    Kind.BYPASSED: lambda who, data: (
        f"{data['broken_by']} broke the glass: it went ahead without approval",
        data["reason"],
    ),
    Kind.BYPASS_REVIEWED: lambda who, data: (
        f"{who} reviewed it: {data['verdict']}",
        data["comment"],
    ),
    Kind.REJECTED: _fixed("Rejected: the agent may not do it"),
    Kind.CHANGES_REQUESTED: _fixed("Sent back to the agent for changes"),
    Kind.EXPIRED: lambda who, data: (f"Expired: {data.get('why', '')}", ""),
    Kind.REMINDED: _fixed("{stage}: whoever has not answered was reminded"),
    Kind.ESCALATED: _escalated,
    Kind.CLAIMED: _fixed("{who} is looking at it"),
    Kind.RELEASED: _fixed("{who} is no longer looking at it"),
    Kind.REASSIGNED: _reassigned,
    Kind.SNOOZED: _snoozed,
    Kind.HELD: _fixed("{stage}: nobody decided in time, it goes on waiting"),
    Kind.SLA_BREACHED: _fixed("{stage}: an answer takes longer than promised"),
    Kind.UNREACHABLE: _fixed("{stage}: not enough people can approve"),
    Kind.CANCELLED: _fixed("{who} withdrew it"),
    Kind.CONSUMED: _fixed("{who} used the permission"),
    Kind.CONSUME_REFUSED: lambda who, data: (
        f"{who} tried to use the permission and was refused",
        data.get("why", ""),
    ),
    Kind.DECISION_REFUSED: _refused,
    Kind.OUTCOME_REPORTED: _reported,
}
LOOKS: dict[str, tuple[str, str]] = {
    Kind.SUBMITTED: ("smart_toy", "info"),
    Kind.REVISED: ("edit_note", "info"),
    Kind.JUDGED_AGAIN: ("gavel", "info"),
    Kind.STAGE_OPENED: ("group", "quiet"),
    Kind.STAGE_CLOSED: ("done_all", "good"),
    Kind.NOTIFIED: ("notifications", "quiet"),
    Kind.NOTIFICATION_FAILED: ("notifications_off", "bad"),
    Kind.WEBHOOK_SENT: ("webhook", "quiet"),
    Kind.WEBHOOK_FAILED: ("webhook", "bad"),
    Kind.WEBHOOK_REPLAYED: ("webhook", "quiet"),
    Kind.VIEWED: ("visibility", "quiet"),
    Kind.PRINTED: ("print", "quiet"),
    Kind.VOTED: ("how_to_vote", "info"),
    Kind.ALLOWED: ("check", "good"),
    Kind.APPROVED: ("check", "good"),
    Kind.BLOCKED: ("block", "bad"),
    Kind.BYPASSED: ("emergency_home", "warn"),
    Kind.BYPASS_REVIEWED: ("fact_check", "info"),
    Kind.REJECTED: ("close", "bad"),
    Kind.CHANGES_REQUESTED: ("undo", "warn"),
    Kind.EXPIRED: ("timer_off", "quiet"),
    Kind.REMINDED: ("notifications_active", "quiet"),
    Kind.ESCALATED: ("trending_up", "warn"),
    Kind.CLAIMED: ("visibility", "info"),
    Kind.RELEASED: ("visibility_off", "quiet"),
    Kind.REASSIGNED: ("forward", "warn"),
    Kind.SNOOZED: ("snooze", "quiet"),
    Kind.HELD: ("pause", "warn"),
    Kind.SLA_BREACHED: ("timer", "warn"),
    Kind.UNREACHABLE: ("person_off", "bad"),
    Kind.CANCELLED: ("undo", "quiet"),
    Kind.CONSUMED: ("play_arrow", "info"),
    Kind.CONSUME_REFUSED: ("block", "bad"),
    Kind.DECISION_REFUSED: ("block", "bad"),
    Kind.OUTCOME_REPORTED: ("flag", "info"),
}
