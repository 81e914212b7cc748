"""Deciding in Slack: by the same rules as in the console, and said to whoever pressed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from approvals import services
from approvals.models import ApprovalRequest, Vote
from governance import clock, freezes
from governance.ledger import Kind
from governance.models import Action, Event, Status, User
from notifications.jobs import publish_events, send_due
from notifications.models import Place, SlackAccount
from notifications.slack import answers
from notifications.slack import api as web_api
from tests.cast import REFUND, AgentClient
from tests.notifications.slackserver import (
    TEAM,
    SlackServer,
    buttons,
    person,
    pressing,
    refuse,
    shown,
    verdicts,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]
Message = dict[str, Any]


@pytest.fixture
def linked(slack: SlackServer, alice: User) -> SlackAccount:
    return link(alice, "U0ALICE")


def link(user: User, slack_user: str) -> SlackAccount:
    return SlackAccount.objects.create(
        person=user, team=TEAM, user=slack_user, name=str(user), linked_at=clock.now()
    )


@pytest.fixture
def message(
    api: AgentClient, slack: SlackServer, linked: SlackAccount, managers: Group
) -> Message:
    """A request for $75 that Alice's group was asked for in a channel."""
    linked.delete()
    Place.objects.create(
        title="#refunds", channel="slack", address="C0REFUNDS", group=managers
    )
    api.submit()
    publish_events()
    send_due()
    linked.save()
    return slack.posted[0]


def request() -> ApprovalRequest:
    return ApprovalRequest.objects.earliest("opened_at")


def status() -> str:
    return Action.objects.get().status


def votes() -> list[tuple[str, str, str, str]]:
    rows = Vote.objects.order_by("pk")
    return list(rows.values_list("by", "verdict", "comment", "via"))


def refusals() -> list[str]:
    events = Event.objects.filter(kind=Kind.DECISION_REFUSED).order_by("id")
    return [event.data["code"] for event in events]


def words(answer: Any) -> str:
    """Return what the dialog says after it was sent."""
    return str(answer.json()["view"]["blocks"][0]["text"]["text"])


def test_it_approves_with_a_comment(slack: SlackServer, message: Message) -> None:
    assert slack.press(message, "approve").content == b""
    dialog = slack.dialogs[0]
    assert "Refund 75 USD" in dialog["blocks"][0]["text"]["text"]
    assert status() == Status.PENDING

    answer = slack.fill_in("The photo shows it.")
    assert words(answer) == "Approved: the agent may go ahead."
    assert votes() == [("alice", "approve", "The photo shows it.", "slack")]
    assert status() == Status.APPROVED


def test_the_agent_reads_that_it_came_from_slack(
    slack: SlackServer, message: Message, api: AgentClient
) -> None:
    slack.press(message, "approve")
    slack.fill_in()
    told = api.get(f"/actions/{Action.objects.get().pk}").json()

    assert told["approval"]["decisions"][0]["via"] == "slack"


def test_it_rejects(slack: SlackServer, message: Message) -> None:
    slack.press(message, "reject")

    assert words(slack.fill_in()) == "Rejected: the agent may not do it."
    assert status() == Status.REJECTED


def test_it_asks_for_changes_and_says_which(
    slack: SlackServer, message: Message
) -> None:
    slack.press(message, "request_changes")
    for comment in ("", "  \n "):
        answer = slack.fill_in(comment)
        assert answer.json() == {
            "response_action": "errors",
            "errors": {"comment": "Say what should change."},
        }
    assert votes() == []

    slack.fill_in("Only half of it.\r\nPlease.")
    assert votes()[0][2] == "Only half of it.\nPlease."
    assert status() == Status.CHANGES_REQUESTED


def test_what_cannot_be_undone_is_confirmed(
    slack: SlackServer, message: Message
) -> None:
    slack.press(message, "approve")
    answer = slack.fill_in(confirmed=False)

    assert answer.json()["errors"] == {"confirmed": "Confirm that you checked it."}
    assert votes() == []


def test_what_can_be_undone_needs_no_confirmation(
    slack: SlackServer, message: Message
) -> None:
    Action.objects.update(reversible=True)
    slack.press(message, "approve")

    assert len(slack.dialogs[0]["blocks"]) == 2
    slack.fill_in()
    assert status() == Status.APPROVED


def test_reading_it_is_on_record_once(slack: SlackServer, message: Message) -> None:
    slack.press(message, "approve")
    slack.press(message, "reject")

    [event] = Event.objects.filter(kind=Kind.VIEWED)
    assert (event.actor_name, event.data["via"]) == ("alice", "slack")


def test_every_message_says_so_afterwards(slack: SlackServer, message: Message) -> None:
    slack.press(message, "reject")
    slack.fill_in("No.")
    publish_events()
    send_due()

    assert "Rejected by alice" in shown(slack.posted[0])
    assert verdicts(slack.posted[0]) == []


def test_a_link_that_was_followed_is_nothing_to_us(
    slack: SlackServer, message: Message
) -> None:
    assert slack.press(message, "open").status_code == 200
    assert slack.dialogs == []
    assert slack.told == []


# Who


def test_who_has_not_linked_is_offered_to(
    slack: SlackServer, message: Message, linked: SlackAccount
) -> None:
    linked.delete()
    slack.press(message, "approve")

    [said] = slack.heard()
    assert "does not know who you are" in said
    assert slack.told[0]["response_type"] == "ephemeral"
    [button] = slack.told[0]["blocks"][1]["elements"]
    assert "/admin/notifications/slackaccount/link/" in button["url"]
    assert slack.dialogs == []


def test_a_name_or_an_address_makes_nobody_an_approver(
    slack: SlackServer, message: Message
) -> None:
    slack.people["U0EVIL"] = person("U0EVIL", "Alice", "alice@example.com")
    payload = pressing(slack.url, message, buttons(message)[0], "U0EVIL")
    payload["user"] |= {"username": "alice", "name": "alice"}
    slack.send(payload)

    assert "does not know who you are" in slack.heard()[0]
    assert slack.dialogs == []


def test_another_workspace_is_another_world(
    slack: SlackServer, message: Message
) -> None:
    payload = pressing(slack.url, message, buttons(message)[0], "U0ALICE")
    payload["user"]["team_id"] = "T0OTHER"
    slack.send(payload)

    assert slack.heard() == ["Only people of Countersign's own workspace can decide."]
    assert "elements" not in str(slack.told[0])


def test_unlinked_between_the_button_and_the_dialog(
    slack: SlackServer, message: Message, linked: SlackAccount
) -> None:
    slack.press(message, "approve")
    linked.delete()

    assert "does not know who you are" in words(slack.fill_in())
    assert votes() == []


def test_a_right_that_was_lost_since_is_no_right(
    slack: SlackServer, message: Message, alice: User, managers: Group
) -> None:
    slack.press(message, "approve")
    alice.groups.remove(managers)

    assert "was withdrawn" in words(slack.fill_in()) or refusals() == ["not_allowed"]
    assert votes() == []
    slack.press(message, "approve")
    assert len(slack.dialogs) == 1
    assert len(slack.heard()) == 1


def test_an_account_that_is_switched_off_decides_nothing(
    slack: SlackServer, message: Message, alice: User
) -> None:
    slack.press(message, "approve")
    alice.is_active = False
    alice.save()

    assert "switched off" in words(slack.fill_in())
    assert refusals() == ["not_allowed"]
    slack.press(message, "approve")
    assert "switched off" in slack.heard()[0]


def test_nobody_approves_what_their_own_agent_asks(
    slack: SlackServer, message: Message, alice: User
) -> None:
    slack.press(message, "approve")
    agent = Action.objects.get().agent
    agent.owner = alice
    agent.save()

    assert "somebody else has to decide" in words(slack.fill_in())
    assert votes() == []


def test_an_outsider_reads_nothing_of_who_could(
    slack: SlackServer, message: Message, charlie: User
) -> None:
    link(charlie, "U0CHARLIE")
    slack.press(message, "approve", user="U0CHARLIE")

    assert slack.heard() == ["You are not among the people asked to decide this."]


def test_freezing_stops_what_runs_and_nobody_who_decides(
    slack: SlackServer, message: Message
) -> None:
    freezes.freeze("refund.*", reason="The list is wrong.", author=None)
    slack.press(message, "reject")

    assert words(slack.fill_in()) == "Rejected: the agent may not do it."


# When


def test_twice_is_the_same_as_once(slack: SlackServer, message: Message) -> None:
    slack.press(message, "approve")
    slack.fill_in("Fine.")

    assert words(slack.fill_in("Fine.")) == "Approved: the agent may go ahead."
    assert len(votes()) == 1


def test_a_second_word_is_not_heard(slack: SlackServer, message: Message) -> None:
    request().stages.update(needed=2)
    slack.press(message, "approve")
    assert words(slack.fill_in()) == "Your word counts. It waits for others, too."

    slack.press(message, "reject")
    assert "You have decided on this revision already." in slack.heard()[0]


def test_too_late_is_said_and_ends_the_message(
    slack: SlackServer, message: Message, bob: User
) -> None:
    found = request()
    services.decide(found, bob, Vote.Verdict.APPROVE, digest=found.digest)
    slack.press(message, "reject")

    told, _ = slack.heard(2)
    assert "approved already: bob decided" in told
    [ended] = [said for said in slack.told if said["replace_original"]]
    assert verdicts(ended) == []
    assert '"customer_id": "C-7"' in shown(ended)


def test_a_message_about_an_earlier_revision_decides_nothing(
    slack: SlackServer, message: Message, api: AgentClient, bob: User
) -> None:
    found = request()
    slack.press(message, "approve")
    changes = Vote.Verdict.REQUEST_CHANGES
    services.decide(found, bob, changes, digest=found.digest, comment="Half of it.")
    params = {**REFUND, "amount": 60}
    api.post(f"/actions/{found.action_id}/revise", {"params": params})

    assert "revision 2" in words(slack.fill_in())
    assert [vote[0] for vote in votes()] == ["bob"]
    slack.press(message, "approve")
    assert "revision 2" in slack.heard(2)[0]


def test_another_digest_is_not_what_they_saw(
    slack: SlackServer, message: Message
) -> None:
    slack.press(message, "approve")
    view = slack.dialogs[0]
    digest = request().digest
    view["private_metadata"] = view["private_metadata"].replace(digest[-4:], "0000")

    assert "not what is waiting now" in words(slack.fill_in())
    assert refusals() == ["changed"]


def test_the_deadline_counts_though_no_worker_runs(
    slack: SlackServer, message: Message
) -> None:
    slack.press(message, "approve")
    with clock.shifted(timedelta(days=3)):
        assert "expired" in words(slack.fill_in())
    assert votes() == []


def test_rules_that_changed_meanwhile_are_read_in_the_console(
    slack: SlackServer, message: Message
) -> None:
    ApprovalRequest.objects.update(drift={"decision": "BLOCK"})
    slack.press(message, "approve")

    assert "The rules have changed" in slack.heard()[0]
    assert "elements" in str(slack.told[0])
    slack.press(message, "reject")
    assert len(slack.dialogs) == 1


def test_it_is_looked_at_again_when_the_dialog_is_sent(
    slack: SlackServer, message: Message
) -> None:
    slack.press(message, "approve")
    ApprovalRequest.objects.update(drift={"decision": "BLOCK"})

    assert "The rules have changed" in words(slack.fill_in())
    assert votes() == []


# What may go wrong on the way


@pytest.mark.parametrize("error", ["expired_trigger_id", "internal_error"])
def test_a_dialog_that_does_not_open_is_no_harm(
    slack: SlackServer, message: Message, error: str
) -> None:
    slack.failures["views.open"] = [refuse(error)]
    assert slack.press(message, "approve").status_code == 200

    assert slack.heard() == ["Slack did not open the dialog in time. Press again."]
    assert not Event.objects.filter(kind=Kind.VIEWED).exists()


def test_whoever_presses_does_not_wait_for_a_slack_that_is_slow(
    slack: SlackServer, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert web_api.AT_ONCE < 3
    monkeypatch.setattr(web_api, "AT_ONCE", 0.2)
    with slack.asleep("views.open"):
        assert slack.press(message, "approve").status_code == 200

    assert slack.heard() == ["Slack did not open the dialog in time. Press again."]


def test_slack_that_cannot_say_who_we_are_is_asked_again(
    slack: SlackServer, message: Message
) -> None:
    slack.failures["auth.test"] = [refuse("internal_error")]
    slack.press(message, "approve")
    assert "Try again in a moment." in slack.heard()[0]

    slack.press(message, "approve")
    assert len(slack.dialogs) == 1


def test_words_that_nobody_can_read_are_said_at_their_field(
    slack: SlackServer, message: Message
) -> None:
    slack.press(message, "reject")
    answer = slack.fill_in("a" + "\u0301" * 20)

    assert "combining marks" in answer.json()["errors"]["comment"]
    assert votes() == []


@pytest.mark.parametrize("value", ["", "approve", "approve x y", "ALLOW 1 2", None, 7])
def test_a_button_that_is_none_of_ours(
    slack: SlackServer, message: Message, value: object
) -> None:
    payload = pressing(slack.url, message, buttons(message)[0], "U0ALICE")
    payload["actions"][0]["value"] = value

    assert slack.send(payload).status_code == 400


def test_a_request_that_is_not_there(slack: SlackServer, message: Message) -> None:
    payload = pressing(slack.url, message, buttons(message)[0], "U0ALICE")
    value = payload["actions"][0]["value"].replace(
        str(request().pk), "0" * 8 + "-0000" * 3 + "-" + "0" * 12
    )
    payload["actions"][0]["value"] = value
    slack.send(payload)

    assert "no such action" in slack.heard()[0]


@pytest.mark.parametrize(
    ("address", "is_theirs"),
    [
        ("https://hooks.slack.com/actions/T1/1/x", True),
        ("http://hooks.slack.com/actions/T1/1/x", False),
        ("https://hooks.slack.com.evil.example/x", False),
        ("https://hooks.slack.com:8443/x", False),
        ("https://hooks.slack.com@evil.example/x", False),
        ("https://slack.com/x", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_answers_go_to_slack_alone(
    settings: Any, address: str, is_theirs: bool
) -> None:
    settings.SLACK_API_URL = "https://slack.com/api/"

    assert answers.is_slacks(address) is is_theirs
