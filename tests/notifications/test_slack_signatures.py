"""What Slack has signed, and nothing else: not a bit of difference, not twice."""

from __future__ import annotations

import http.client
import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from governance import clock
from governance.errors import Refused
from notifications.models import Spent
from notifications.slack import signatures
from notifications.slack.signatures import NotFromSlack, sign
from tests.notifications.slackserver import FORM, SlackServer

pytestmark = pytest.mark.django_db
# Slack's own example: https://docs.slack.dev/authentication/verifying-requests-from-slack
SECRET, MOMENT = "8f742231b10e8888abcd99yyyzzz85a5", "1531420618"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F"
    b"commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id="
    b"398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SIGNED = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
# Nothing to us: it is heard, and that is all.
HARMLESS = b"payload=" + json.dumps({"type": "shortcut"}).encode().hex().encode()
NOTHING = b"payload=%7B%22type%22%3A%22shortcut%22%7D"


def at_slacks_time(monkeypatch: pytest.MonkeyPatch) -> None:
    then = datetime.fromtimestamp(int(MOMENT), UTC)
    monkeypatch.setattr(clock, "now", lambda: then)


def test_it_takes_slacks_own_example(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SLACK_SIGNING_SECRET = SECRET
    at_slacks_time(monkeypatch)

    signatures.check(BODY, MOMENT, SIGNED)


def test_not_one_bit_may_differ(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SLACK_SIGNING_SECRET = SECRET
    at_slacks_time(monkeypatch)
    chance = random.Random(7)
    for _ in range(10_000):
        body, signed = bytearray(BODY), bytearray(SIGNED.encode())
        target = chance.choice((body, signed))
        target[chance.randrange(len(target))] ^= 1 << chance.randrange(8)
        with pytest.raises(Refused):
            signatures.check(bytes(body), MOMENT, signed.decode("latin-1"))
    assert not Spent.objects.exists()


def test_a_signed_request_is_heard(slack: SlackServer) -> None:
    assert slack.send_raw(NOTHING).status_code == 200


@pytest.mark.parametrize("age", [302, 86_400, -310, 10**9])
def test_an_old_signature_or_one_of_the_future_is_refused(
    slack: SlackServer, age: float
) -> None:
    answer = slack.send_raw(NOTHING, age=age)

    assert answer.status_code == 401
    assert answer.json()["code"] == "not_from_slack"
    assert not Spent.objects.exists()


@pytest.mark.parametrize("age", [290, -290])
def test_clocks_may_differ_a_little(slack: SlackServer, age: float) -> None:
    assert slack.send_raw(NOTHING, age=age).status_code == 200


BY_HEADER: list[dict[str, str]] = [
    {"X-Slack-Signature": ""},
    {"X-Slack-Request-Timestamp": ""},
    {"X-Slack-Signature": "v0="},
    {"X-Slack-Signature": "v0=" + "0" * 64},
    {"X-Slack-Signature": "v1=" + "0" * 64},
    {"X-Slack-Signature": "0" * 64},
    {"X-Slack-Request-Timestamp": "now"},
    {"X-Slack-Request-Timestamp": "-1"},
    {"X-Slack-Request-Timestamp": "1e9"},
    {"X-Slack-Request-Timestamp": "٣" * 10},
    {"X-Slack-Request-Timestamp": "9" * 40},
]


@pytest.mark.parametrize("headers", BY_HEADER)
def test_a_header_that_is_wrong_is_refused(
    slack: SlackServer, headers: dict[str, str]
) -> None:
    assert slack.send_raw(NOTHING, headers).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"ssl_check=1&token=abc",
        b"payload=%7B%22type%22%3A%22url_verification%22%2C%22challenge%22%3A%22x%22%7D",
        b'{"type":"url_verification","challenge":"x"}',
        b"",
    ],
)
@pytest.mark.parametrize("kind", [FORM, "application/json"])
def test_no_word_opens_the_door_unsigned(
    slack: SlackServer, body: bytes, kind: str
) -> None:
    client = Client(raise_request_exception=False)
    assert client.generic("POST", "/slack/interact", body, kind).status_code == 401
    answer = slack.send_raw(body, {"Content-Type": kind}, secret="guessed")
    assert answer.status_code == 401


@pytest.mark.parametrize("secret", ["", " ", "\n"])
def test_without_a_secret_nothing_is_taken(
    slack: SlackServer, settings: Settings, secret: str
) -> None:
    settings.SLACK_SIGNING_SECRET = secret
    moment = str(int(clock.now().timestamp()))
    headers = {"X-Slack-Signature": sign(secret, moment, NOTHING)}
    answer = slack.send_raw(NOTHING, headers)

    assert answer.status_code == 503
    assert answer.json()["code"] == "slack_not_set_up"


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""]
)
def test_only_forms_are_read(slack: SlackServer, kind: str) -> None:
    assert slack.send_raw(NOTHING, {"Content-Type": kind}).status_code == 415


def test_what_is_too_large_is_not_even_checked(slack: SlackServer) -> None:
    answer = slack.send_raw(b"payload=" + b"x" * 64 * 1024)

    assert answer.status_code == 413
    assert answer.json()["code"] == "body_too_large"


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "options"])
def test_nothing_but_post_is_taken(slack: SlackServer, method: str) -> None:
    answer = getattr(Client(), method)("/slack/interact")

    assert answer.status_code == 405


@pytest.mark.parametrize(
    "body",
    [
        b"payload=",
        b"payload=%7B",
        b"payload=[]",
        b"payload=1",
        b"payload=%7B%7D",
        b"payload=%7B%22type%22%3A%22block_actions%22%7D",
        b"payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A[]%7D",
        b"payload=%7B%22type%22%3A%22view_submission%22%2C%22view%22%3A1%7D",
        b"payload=%FF",
        b"payload=%7B%7D&payload=%7B%7D",
        b"other=%7B%7D",
        b"\xff\xfe",
        HARMLESS,
        b"payload=" + b"[" * 5000,
    ],
)
def test_noise_is_refused_even_if_it_is_signed(slack: SlackServer, body: bytes) -> None:
    answer = slack.send_raw(body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed"


def test_what_has_arrived_is_refused_ever_after(slack: SlackServer) -> None:
    moment = str(int(clock.now().timestamp()))
    headers = {
        "X-Slack-Request-Timestamp": moment,
        "X-Slack-Signature": sign(slack.secret, moment, NOTHING),
    }
    assert slack.send_raw(NOTHING, headers).status_code == 200

    for _ in range(100):
        answer = slack.send_raw(NOTHING, headers)
        assert answer.status_code == 409
        assert answer.json()["code"] == "replayed"
    assert Spent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_copies_that_arrive_at_once_one_is_taken(slack: SlackServer) -> None:
    moment = str(int(clock.now().timestamp()))
    headers = {
        "X-Slack-Request-Timestamp": moment,
        "X-Slack-Signature": sign(slack.secret, moment, NOTHING),
    }
    gate = threading.Barrier(4, timeout=10)

    def send(_: int) -> int:
        gate.wait()
        try:
            return int(slack.send_raw(NOTHING, headers).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(send, range(4))) == [200, 409, 409, 409]


def test_what_was_spent_is_forgotten_once_it_is_too_old(slack: SlackServer) -> None:
    slack.send_raw(NOTHING)
    Spent.objects.update(at=datetime(2026, 1, 1, tzinfo=UTC))
    slack.send_raw(b"payload=%7B%22type%22%3A%22other%22%7D")

    assert Spent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_headers_that_come_twice_are_refused_on_the_wire(
    slack: SlackServer, live_server: LiveServer
) -> None:
    moment = str(int(clock.now().timestamp()))
    right = [
        ("X-Slack-Request-Timestamp", moment),
        ("X-Slack-Signature", sign(slack.secret, moment, NOTHING)),
    ]
    wrong = [
        ("X-Slack-Signature", "v0=" + "0" * 64),
        ("X-Slack-Request-Timestamp", "1"),
    ]

    for extra in [*wrong, *right]:
        for headers in ([*right, extra], [extra, *right]):
            assert sent(live_server.url, headers) == 401
    assert sent(live_server.url, right) == 200


def sent(url: str, headers: list[tuple[str, str]]) -> int:
    connected = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connected.putrequest("POST", "/slack/interact")
    basics = [("Content-Type", FORM), ("Content-Length", str(len(NOTHING)))]
    for name, value in [*basics, *headers]:
        connected.putheader(name, value)
    connected.endheaders(NOTHING)
    try:
        return connected.getresponse().status
    finally:
        connected.close()


def test_a_forgery_asks_the_database_for_nothing(
    settings: Settings, django_assert_num_queries: Any
) -> None:
    settings.SLACK_SIGNING_SECRET = SECRET
    now = str(int(datetime.now(UTC).timestamp()))
    with django_assert_num_queries(0), pytest.raises(NotFromSlack):
        signatures.check(NOTHING, now, sign("guessed", now, NOTHING))
