"""What stands before Django: the body's size, and agents that wait.

Django runs under WSGI in a pool of threads. An agent that waits must not hold one of
those, nor a database connection: it waits here, in the event loop, and its call goes
to Django when there is something to answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, close_old_connections
from django.http.request import split_domain_port, validate_host
from rest_framework.renderers import JSONRenderer

from approvals.api.authentication import key_of
from approvals.api.representation import action_data
from approvals.api.views import MAX_WAIT
from approvals.hub import Hub
from approvals.services import storage
from config import api
from governance import clock, strict_json
from governance.errors import Refused
from governance.models import Action, Status
from notifications.slack.views import LONGEST_BODY

# An ASGI server's words: plain dicts.
Message = dict[str, Any]
Receive = Callable[[], Coroutine[Any, Any, Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

API = "/api/"
ACTION = re.compile(r"\A/api/v1/actions/([0-9a-f-]{36})\Z")
WAIT = re.compile(rb"\Await=(\d{1,100})\Z")
MAX_BODY_SECONDS = 20
MAX_CONSOLE_BYTES = 1024 * 1024
# What is smaller for some: an agent's action, and what Slack says somebody pressed.
MAX_BYTES = {API: strict_json.MAX_BODY_BYTES, "/slack/": LONGEST_BODY}
# Beyond this many a call is answered at once, as if it had not asked to wait.
MAX_WAITERS = 20_000


class Front:
    def __init__(self, django: Application) -> None:
        self.django = django
        self.hub = Hub()
        self.threads = ThreadPoolExecutor(4, "waiting")
        self.waiters = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["type"] == "http":
            await self.serve(scope, receive, send)

    async def live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.hub.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.hub.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def serve(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            body = await read(scope, receive)
            answer = await self.answer(scope, receive)
        except Refused as refusal:
            await refuse(refusal, send)
        except Gone:
            return
        else:
            if answer:
                await respond(200, "application/json", answer, send)
            else:
                await self.django(with_body(scope, body), once(body), send)

    async def answer(self, scope: Message, receive: Receive) -> bytes:
        """Return what a call that waits is answered with. Nothing for all others."""
        wanted = wait_of(scope)
        if wanted is None or self.waiters >= MAX_WAITERS:
            return b""
        self.waiters += 1
        try:
            return await self.wait(scope, receive, *wanted)
        finally:
            self.waiters -= 1

    async def wait(
        self, scope: Message, receive: Receive, pk: UUID, seconds: int
    ) -> bytes:
        """Return the answer when there is one, or at the end of the wait.

        Nothing when anything is amiss: Django finds it again, and says so properly.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        header = header_of(scope, b"authorization")
        gone: asyncio.Future[Any] = loop.create_task(receive())
        try:
            while True:
                # Join first and look second: nothing is missed in between.
                moved = self.hub.join(pk)
                try:
                    last = loop.time() >= end
                    seen = await loop.run_in_executor(
                        self.threads, look, header, pk, last
                    )
                    if isinstance(seen, bytes):
                        return seen
                    either: set[asyncio.Future[Any]] = {moved, gone}
                    await asyncio.wait(
                        either,
                        timeout=min(end - loop.time(), seen),
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                finally:
                    self.hub.leave(pk, moved)
                if gone.done():
                    raise Gone
        finally:
            gone.cancel()


class Gone(Exception):
    """The caller hung up before there was an answer."""


class TooLarge(Refused):
    code = "body_too_large"
    status = 413


class TooSlow(Refused):
    code = "body_too_slow"
    status = 408


def look(header: str, pk: UUID, last: bool) -> bytes | float:
    """Return the answer, or for how many seconds there will be none.

    There is one when the action is not pending, and always at the ``last`` look.
    """
    try:
        action = Action.objects.of(key_of(header).agent).get(pk=pk)
        at = clock.now()
        if not last and action.status == Status.PENDING and not is_due(action, at):
            return patience(action, at)
        course = storage.read(pk)
        course.lapse(at)
        if not last and course.action.status == Status.PENDING:
            return patience(course.action, at)
        return JSONRenderer().render(action_data(course))
    except OperationalError as error:
        # Thousands must not queue up to hear the same from Django.
        raise api.as_refusal(error) from error
    except Exception:
        return b""
    finally:
        close_old_connections()


def is_due(action: Action, at: datetime) -> bool:
    return action.due_at is not None and action.due_at <= at


def patience(action: Action, at: datetime) -> float:
    """Return the seconds until the clock next has something to say."""
    return (action.due_at - at).total_seconds() if action.due_at else MAX_WAIT


def wait_of(scope: Message) -> tuple[UUID, int] | None:
    """Return which action this call waits for, and how many seconds, if it does.

    Only what is flawless waits here: everything else is Django's to refuse.
    """
    path = ACTION.match(scope["path"])
    seconds = WAIT.match(scope["query_string"])
    if scope["method"] != "GET" or not path or not seconds or not is_welcome(scope):
        return None
    try:
        return UUID(path[1]), min(int(seconds[1]), MAX_WAIT)
    except ValueError:
        return None


def is_welcome(scope: Message) -> bool:
    """Whether Django, too, would take a call for this host over this connection."""
    host, _ = split_domain_port(header_of(scope, b"host"))
    plain = scope.get("scheme") == "http" and settings.SECURE_SSL_REDIRECT
    return validate_host(host, settings.ALLOWED_HOSTS) and not plain


async def read(scope: Message, receive: Receive) -> bytes:
    """Return the whole body, or refuse it before it has all arrived.

    Whoever sends slowly holds up nobody: no thread is taken before the body is here.
    """
    try:
        async with asyncio.timeout(MAX_BODY_SECONDS):
            return await read_all(scope, receive)
    except TimeoutError:
        raise TooSlow("The body did not arrive in time. Send it again.") from None


async def read_all(scope: Message, receive: Receive) -> bytes:
    own = (most for start, most in MAX_BYTES.items() if scope["path"].startswith(start))
    limit = next(own, MAX_CONSOLE_BYTES)
    length = header_of(scope, b"content-length")
    body = bytearray()
    announced = int(length) if length.isdigit() else 0
    while max(announced, len(body)) <= limit:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise Gone
        body += event.get("body", b"")
        if not event.get("more_body") and len(body) <= limit:
            return bytes(body)
    raise TooLarge(f"Send a body of at most {limit // 1024} KiB.")


def with_body(scope: Message, body: bytes) -> Message:
    """Return the scope with the length that WSGI needs, and the mark of the front."""
    skip = (b"content-length", b"transfer-encoding")
    headers = [pair for pair in scope["headers"] if pair[0] not in skip]
    if body:
        headers.append((b"content-length", str(len(body)).encode()))
    return {**scope, "headers": headers, "countersign": "front"}


def once(body: bytes) -> Receive:
    events = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return events.pop() if events else {"type": "http.disconnect"}

    return receive


async def refuse(refusal: Refused, send: Send) -> None:
    """Say no before the whole body has arrived, and hang up: the rest is not read."""
    body = json.dumps(api.problem(refusal, str(uuid.uuid4()))).encode()
    more = [(b"connection", b"close")]
    if refusal.retry_after:
        more.append((b"retry-after", str(refusal.retry_after).encode()))
    await respond(refusal.status, api.MEDIA_TYPE, body, send, *more)


async def respond(
    status: int, media_type: str, body: bytes, send: Send, *more: tuple[bytes, bytes]
) -> None:
    headers = [
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def header_of(scope: Message, name: bytes) -> str:
    values = [value for header, value in scope["headers"] if header == name]
    return b",".join(values).decode("latin-1")
