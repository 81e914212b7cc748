"""What people get in Slack: all of it, inert, with buttons or with a reason why not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from approvals import services
from approvals.models import ApprovalRequest, Vote
from governance import clock
from governance.models import Event, User
from notifications import sending
from notifications.jobs import publish_events, send_due
from notifications.models import Delivery, Place, Rule, SlackAccount
from tests.cast import AgentClient
from tests.notifications.slackserver import (
    TEAM,
    SlackServer,
    buttons,
    refuse,
    shown,
    texts_of,
    verdicts,
)
from tests.notifications.webserver import Answer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refund_rules")]
ALL = ["approve", "reject", "request_changes"]
State = Delivery.State


@pytest.fixture
def linked(slack: SlackServer, alice: User) -> SlackAccount:
    return SlackAccount.objects.create(
        person=alice, team=TEAM, user="U0ALICE", name="Alice", linked_at=clock.now()
    )


@pytest.fixture
def place(slack: SlackServer, managers: Group) -> Place:
    return Place.objects.create(
        title="#refunds", channel="slack", address="C0REFUNDS", group=managers
    )


def ask(api: AgentClient, **fields: Any) -> ApprovalRequest:
    """Have an agent ask, and everybody told."""
    assert api.submit(**fields)["status"] == "pending"
    tell()
    return ApprovalRequest.objects.get()


def tell() -> None:
    publish_events()
    send_due()


def tell_later(**fields: int) -> None:
    with clock.shifted(timedelta(**fields)):
        send_due()


def delivery() -> Delivery:
    return Delivery.objects.filter(channel="slack", edits=None).latest("id")


def test_a_person_hears_in_a_conversation_of_their_own(
    api: AgentClient, slack: SlackServer, linked: SlackAccount
) -> None:
    ask(api, reason="The screen is cracked.", context={"order_total": 129})

    [message] = slack.posted
    assert message["channel"] == "D0ALICE"
    assert delivery().reference == f"D0ALICE:{message['ts']}"
    assert delivery().state == State.SENT
    text = shown(message)
    for words in (
        "Approval needed",
        "Refund 75 USD to customer C-7 for order A-1001",
        '"customer_id": "C-7"',
        "Cannot be undone",
        "The screen is cracked.",
        '"order_total": 129',
        "Refunds from $50 to $200 need a manager.",
    ):
        assert words in text
    assert verdicts(message) == ALL


def test_a_place_hears_and_its_message_opens_the_console(
    api: AgentClient, slack: SlackServer, place: Place
) -> None:
    request = ask(api)

    [message] = slack.posted
    assert message["channel"] == "C0REFUNDS"
    assert not message["unfurl_links"]
    assert not message["unfurl_media"]
    link = buttons(message)[-1]
    assert link["url"].endswith(
        f"/admin/approvals/approvalrequest/{request.pk}/change/"
    )


def test_a_copy_is_known_by_its_id(
    api: AgentClient, slack: SlackServer, place: Place
) -> None:
    slack.failures["chat.postMessage"] = [Answer(500, b"oops")]
    request = ask(api)
    tell_later(minutes=5)

    mark = slack.posted[0]["metadata"]
    assert mark["event_payload"]["id"].startswith(f"{request.pk}.{delivery().pk}@")


def test_a_worker_that_dies_after_posting_leaves_a_copy_with_the_same_id(
    api: AgentClient, slack: SlackServer, place: Place
) -> None:
    api.submit()
    publish_events()
    dying = delivery()
    assert Delivery.objects.claim(dying, clock.now())
    message = sending.prepare(dying)
    assert message
    sending.send(dying, message)
    tell_later(minutes=5)

    first, second = slack.posted
    assert first["metadata"] == second["metadata"]
    assert first["blocks"] == second["blocks"]
    assert delivery().reference == f"C0REFUNDS:{second['ts']}"


# When it fails


@pytest.mark.parametrize(
    "error",
    ["channel_not_found", "not_in_channel", "invalid_auth", "account_inactive"],
)
def test_what_an_administrator_can_mend_is_tried_again(
    api: AgentClient, slack: SlackServer, place: Place, error: str
) -> None:
    slack.failures["chat.postMessage"] = [refuse(error)]
    ask(api)
    assert delivery().state == State.WAITING
    assert delivery().error == f"Slack said: {error}"

    tell_later(minutes=5)
    assert delivery().state == State.SENT


@pytest.mark.parametrize("error", ["is_archived", "user_not_found", "user_disabled"])
def test_what_is_gone_for_good_is_given_up(
    api: AgentClient, slack: SlackServer, place: Place, error: str
) -> None:
    slack.failures["chat.postMessage"] = [refuse(error)]
    ask(api)

    assert delivery().state == State.FAILED


def test_slack_is_left_alone_for_as_long_as_it_asks(
    api: AgentClient, slack: SlackServer, place: Place
) -> None:
    busy = Answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "600"})
    slack.failures["chat.postMessage"] = [busy]
    ask(api)
    tell_later(minutes=8)
    assert slack.posted == []

    tell_later(minutes=11)
    assert len(slack.posted) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, b"<html>"),
        Answer(503, {"ok": False, "error": "service_unavailable"}),
        Answer(200, b"not json"),
        Answer(200, b"[]"),
        Answer(200, b'"ok"'),
        Answer(200, b"\xff\xfe"),
        Answer(302, b"", {"Location": "http://127.0.0.1:9/"}),
    ],
)
def test_nonsense_is_tried_again_and_never_at_once(
    api: AgentClient, slack: SlackServer, place: Place, answer: Answer
) -> None:
    slack.failures["chat.postMessage"] = [answer]
    ask(api)
    assert delivery().state == State.WAITING
    assert slack.calls.count("chat.postMessage") == 1

    tell_later(minutes=5)
    assert delivery().state == State.SENT


def test_a_server_that_is_slow_is_not_waited_for(
    api: AgentClient,
    slack: SlackServer,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("notifications.slack.api.PATIENT", 0.2)
    with slack.asleep("chat.postMessage"):
        ask(api)
    assert delivery().state == State.WAITING
    assert "timed out" in delivery().error

    tell_later(minutes=5)
    assert delivery().state == State.SENT


def test_a_server_that_is_away_is_tried_again(
    api: AgentClient, slack: SlackServer, place: Place, settings: Any
) -> None:
    address, settings.SLACK_API_URL = settings.SLACK_API_URL, "http://127.0.0.1:1/api/"
    ask(api)
    assert delivery().state == State.WAITING

    settings.SLACK_API_URL = address
    tell_later(minutes=5)
    assert delivery().state == State.SENT


# What does not fit is not half there


def test_parameters_that_do_not_fit_leave_no_buttons(
    api: AgentClient, slack: SlackServer, place: Place
) -> None:
    ask(api, params={"note": "x" * 3001})

    [message] = slack.posted
    assert verdicts(message) == []
    assert "x" * 100 not in shown(message)
    assert "too long to be shown here whole" in shown(message)
    assert buttons(message)[0]["url"]


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": "x" * 3001},
        {"context": {"note": "x" * 3001}},
        # Escaped it is longer: who knows how Slack counts.
        {"params": {"note": "&" * 700}},
        # Each of them fits, and all of them together do not.
        {
            "params": {"a": "я" * 2500},
            "reason": "я" * 2900,
            "context": {"b": "я" * 2900},
        },
        # Longer than any message.
        {"params": {"lines": ["x"] * 5000}},
        {"reason": "y" * 9_000, "context": {"note": "Too long for a message"}},
    ],
)
def test_whatever_does_not_fit_leaves_no_buttons(
    api: AgentClient, slack: SlackServer, place: Place, fields: dict[str, Any]
) -> None:
    ask(api, **fields)

    [message] = slack.posted
    assert verdicts(message) == []
    assert delivery().state == State.SENT


def test_a_long_text_that_fits_is_there_whole(
    api: AgentClient, slack: SlackServer, place: Place
) -> None:
    ask(api, params={"note": "x" * 2000 + "end"}, reason="y" * 2900)

    [message] = slack.posted
    assert verdicts(message) == ALL
    assert "xend" in shown(message)
    assert all(
        b["expand"] for b in message["blocks"] if b["type"] == "section" and "text" in b
    )


def test_what_slack_finds_too_long_is_sent_in_fewer_words(
    api: AgentClient, slack: SlackServer, place: Place
) -> None:
    slack.failures["chat.postMessage"] = [refuse("msg_blocks_too_long")]
    ask(api)

    [message] = slack.posted
    assert verdicts(message) == []
    assert 'C-7"' not in shown(message)
    assert delivery().state == State.SENT


def test_what_slack_never_takes_is_given_up(
    api: AgentClient, slack: SlackServer, place: Place
) -> None:
    slack.failures["chat.postMessage"] = [refuse("invalid_blocks")] * 3
    ask(api)

    assert delivery().state == State.FAILED


# What may deceive is read in the console


@pytest.mark.parametrize(
    "params",
    [
        {"customer_id": "C-7\u202e7-C"},
        {"customer_id": "C-7\u200b"},
        {"customer_id": "p\u0430ypal"},
        {"note": " blank"},
        {"note": "https://bank.example@evil.example/"},
    ],
)
def test_what_may_deceive_leaves_no_buttons(
    api: AgentClient, slack: SlackServer, place: Place, params: dict[str, Any]
) -> None:
    ask(api, params=params)

    [message] = slack.posted
    assert verdicts(message) == []
    assert "may not be what it seems" in shown(message)


HOSTILE = [
    "<!channel> <!here> <!everyone>",
    "<@U0ALICE> <#C0REFUNDS> @here @channel",
    "<http://evil.example|Approve in the console>",
    "*bold* _italic_ ~strike~ `code` ```block```",
    "> quote\n• list",
    ":white_check_mark: Approved by alice :tada:",
    "&lt;!channel&gt; &amp;amp;",
    "http://evil.example/beacon.png",
    "javascript:alert(1)",
    "<!date^1392734382^{date}|x>",
    "<!subteam^S1|x>",
    "\u202eevil\u202c \u200b \U000e0041",
    '","type":"mrkdwn","text":"*x*',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_an_agent_writes_is_inert(
    api: AgentClient, slack: SlackServer, place: Place, text: str
) -> None:
    ask(api, reason=text, context={"said": text}, params={"note": text})

    [message] = slack.posted
    for found, _ in texts_of(message["blocks"]):
        if found["type"] == "mrkdwn":
            assert "evil" not in found["text"]
            assert found["text"].replace("*", "").replace(" ", "").isascii()
        else:
            assert not found["emoji"]
        assert not set("<>") & set(found["text"])
    assert not set("<>\u202e\u200b") & set(message["text"])
    assert "\u202e" not in json.dumps(message, ensure_ascii=False)
    assert "http://" not in message["text"]


def test_what_is_ours_alone_is_marked_up(
    api: AgentClient, slack: SlackServer, place: Place
) -> None:
    ask(api, reason="Hello")

    [message] = slack.posted
    bold = {t["text"] for t, _ in texts_of(message["blocks"]) if t["type"] == "mrkdwn"}
    assert "*Said by the agent, not verified*" in bold
    assert "*Agent*" in bold
    assert not any("Hello" in text for text in bold)


# When it has ended


def decide(request: ApprovalRequest, person: User, verdict: Vote.Verdict) -> None:
    services.decide(request, person, verdict, digest=request.digest, comment="Fine.")
    tell()


def test_every_message_says_in_the_end_who_decided_what(
    api: AgentClient,
    slack: SlackServer,
    linked: SlackAccount,
    place: Place,
    bob: User,
) -> None:
    request = ask(api)
    assert len(slack.posted) == 2
    decide(request, bob, Vote.Verdict.APPROVE)

    assert len(slack.posted) == 2
    for message in slack.posted:
        assert "Approved by bob" in shown(message)
        assert verdicts(message) == []


def test_no_rule_leaves_buttons_on_what_is_decided(
    api: AgentClient, slack: SlackServer, place: Place, bob: User
) -> None:
    Rule.objects.create(title="Quiet", topics=["decided"], channels=[], places=False)
    decide(ask(api), bob, Vote.Verdict.REJECT)

    [message] = slack.posted
    assert "Rejected by bob" in shown(message)
    assert verdicts(message) == []


def test_silence_ends_the_messages_as_well(
    api: AgentClient, slack: SlackServer, place: Place
) -> None:
    request = ask(api, expires_in=60)
    with clock.shifted(timedelta(minutes=2)):
        services.settle(request.action_id)
        tell()

    [message] = slack.posted
    assert "Expired" in shown(message)
    assert verdicts(message) == []


def test_a_message_that_somebody_deleted_is_given_up(
    api: AgentClient, slack: SlackServer, place: Place, alice: User
) -> None:
    request = ask(api)
    slack.posted.clear()
    decide(request, alice, Vote.Verdict.REJECT)

    edit = Delivery.objects.exclude(edits=None).get()
    assert edit.state == State.FAILED
    assert edit.error == "Slack said: message_not_found"


def test_a_rejection_keeps_what_it_was_about(
    api: AgentClient, slack: SlackServer, place: Place, alice: User
) -> None:
    request = ask(api)
    decide(request, alice, Vote.Verdict.REJECT)

    [message] = slack.posted
    assert "Rejected by alice" in shown(message)
    assert '"customer_id": "C-7"' in shown(message)


def test_without_a_token_nothing_is_sent(
    api: AgentClient, slack: SlackServer, place: Place, settings: Any
) -> None:
    settings.SLACK_BOT_TOKEN = ""
    ask(api)

    assert slack.calls == []
    assert not Delivery.objects.filter(channel="slack").exists()


def test_it_is_on_record(api: AgentClient, slack: SlackServer, place: Place) -> None:
    ask(api)

    event = Event.objects.filter(kind="notified").latest("id")
    assert event.data["channel"] == "slack"
    assert event.data["people"] == ["#refunds"]
