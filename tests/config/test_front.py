"""What stands before Django, call by call, without a server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from config import front
from config.front import Front, Message, wait_of

PK = "01939c9e-0000-7000-8000-000000000000"


def scope(path: str = f"/api/v1/actions/{PK}", query: str = "", **more: Any) -> Message:
    given = {"headers": [(b"host", b"localhost")], "method": "GET", "scheme": "http"}
    return {
        "type": "http",
        "path": path,
        "query_string": query.encode(),
        **given,
        **more,
    }


def send(call: Message, *events: Message, forever: bool = False) -> list[Message]:
    """Let the front serve one call. Return what it sends back."""
    arriving = list(events)
    sent: list[Message] = []

    async def receive() -> Message:
        if arriving:
            return arriving.pop(0)
        if forever:
            await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def answer(message: Message) -> None:
        sent.append(message)

    async def django(scope: Message, receive: Any, send: Any) -> None:
        event = await receive()
        await send({"type": "django", "body": event["body"], "scope": scope})

    asyncio.run(Front(django)(call, receive, answer))
    return sent


def part(body: bytes, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("wait=5", 5), ("wait=60", 60), ("wait=3600", 60), ("wait=" + "9" * 50, 60)],
)
def test_a_wait_is_cut_to_a_minute(query: str, seconds: int) -> None:
    wanted = wait_of(scope(query=query))

    assert wanted
    assert wanted[1] == seconds


@pytest.mark.parametrize(
    "call",
    [
        scope(),
        scope(query="wait=-1"),
        scope(query="wait=1.5"),
        scope(query="wait=1&wait=2"),
        scope(query="wait=1&x=1"),
        scope(query="wait=1", method="POST"),
        scope(query="wait=1", path="/api/v1/actions"),
        scope(query="wait=1", path="/api/v1/actions/" + "-" * 36),
        scope(query="wait=1", headers=[(b"host", b"evil.example")]),
        scope(query="wait=1", headers=[]),
    ],
)
def test_only_what_is_flawless_waits_here(call: Message) -> None:
    assert wait_of(call) is None


def test_a_plain_connection_does_not_wait_where_https_is_asked_for(
    settings: Any,
) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert wait_of(scope(query="wait=1")) is None


def test_django_gets_the_whole_body_and_its_length() -> None:
    call = scope("/api/v1/actions", method="POST")
    (seen,) = send(call, part(b"ab", more=True), part(b"cd"))

    assert seen["body"] == b"abcd"
    assert (b"content-length", b"4") in seen["scope"]["headers"]


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/api/v1/actions", 256 * 1024),
        ("/slack/interact", 64 * 1024),
        ("/admin/login/", 1024 * 1024),
    ],
)
def test_a_body_is_refused_before_it_has_all_arrived(path: str, limit: int) -> None:
    call = scope(path, method="POST")
    half = part(b"x" * (limit // 2), more=True)
    start, content = send(call, half, half, part(b"x", more=True), forever=True)

    assert start["status"] == 413
    assert json.loads(content["body"])["code"] == "body_too_large"


def test_a_body_of_exactly_the_limit_is_read() -> None:
    call = scope("/api/v1/actions", method="POST")
    (seen,) = send(call, part(b"x" * 256 * 1024))

    assert len(seen["body"]) == 256 * 1024


def test_an_announced_length_is_enough_to_refuse() -> None:
    headers = [(b"host", b"localhost"), (b"content-length", b"999999999")]
    call = scope("/api/v1/actions", method="POST", headers=headers)
    start, _ = send(call, forever=True)

    assert start["status"] == 413


def test_a_body_that_does_not_come_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(front, "MAX_BODY_SECONDS", 0.05)
    call = scope("/admin/login/", method="POST")
    start, content = send(call, part(b"x", more=True), forever=True)

    assert start["status"] == 408
    assert json.loads(content["body"])["code"] == "body_too_slow"


def test_nothing_is_done_for_whoever_has_hung_up() -> None:
    call = scope("/api/v1/actions", method="POST")

    assert send(call, part(b"x", more=True)) == []
