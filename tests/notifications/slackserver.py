"""A server that speaks enough of Slack's Web API, and presses buttons, for the tests.

It refuses what Slack would: a wrong token, an unknown channel, blocks beyond the limits
of Block Kit (https://docs.slack.dev/reference/block-kit).
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote_plus

from django.test import Client

from governance import clock
from notifications.slack.signatures import sign
from tests.notifications import webserver
from tests.notifications.webserver import Answer, Call, WebServer

TEAM = "T0TEAM"
# Which kind of text, and how long, by the place it stands in.
LIMITS = {"header": 150, "section": 3000, "field": 2000, "button": 75, "element": 3000}
# No two presses are the same, even in one second.
triggers = itertools.count(1)
FORM = "application/x-www-form-urlencoded"


class SlackServer:
    """One workspace with its people, channels and messages.

    ``failures`` are given instead of the next answers to a method.
    """

    token, secret = "xoxb-1-of-tests", "8f742231b10e8888abcd99yyyzzz85a5"

    def __init__(self, server: WebServer) -> None:
        self.server, self.url = server, server.url
        self.people = {"U0ALICE": person("U0ALICE", "Alice", "alice@example.com")}
        self.channels = {"C0REFUNDS"}
        self.posted: list[dict[str, Any]] = []
        self.edited: list[dict[str, Any]] = []
        self.dialogs: list[dict[str, Any]] = []
        self.failures: dict[str, list[Answer]] = {}
        self.calls: list[str] = []
        self.told: list[dict[str, Any]] = []
        self.sleeping, self.woken = "", threading.Event()
        self._arrived = threading.Condition()
        server.answer = self.answer

    # What is called

    def answer(self, call: Call) -> Answer:
        if call.path.startswith("/answers/"):
            return self._hear(json.loads(call.body))
        method = call.path.removeprefix("/api/").partition("?")[0]
        self.calls.append(method)
        if method == self.sleeping:
            self.woken.wait(30)
            return refuse("internal_error")
        if self.failures.get(method):
            return self.failures[method].pop(0)
        if call.headers.get("Authorization") != f"Bearer {self.token}":
            return refuse("invalid_auth")
        found = getattr(self, method.replace(".", "_"))(said(call))
        return (
            found if isinstance(found, Answer) else Answer(body={"ok": True, **found})
        )

    @contextmanager
    def asleep(self, method: str) -> Iterator[None]:
        """Give no answer to this method for as long as this lasts."""
        self.sleeping = method
        try:
            yield
        finally:
            self.sleeping = ""
            self.woken.set()

    def auth_test(self, said: dict[str, Any]) -> dict[str, Any]:
        return {"team_id": TEAM, "team": "Acme", "user_id": "U0BOT", "bot_id": "B0BOT"}

    def users_info(self, said: dict[str, Any]) -> Any:
        found = self.people.get(said["user"])
        return {"user": found} if found else refuse("user_not_found")

    def chat_postMessage(self, said: dict[str, Any]) -> Any:
        if problem := self.problem(said):
            return problem
        ts = f"1700000000.{len(self.posted):06}"
        self.posted.append({**said, "channel": self.place(said["channel"]), "ts": ts})
        return {"channel": self.place(said["channel"]), "ts": ts}

    def chat_update(self, said: dict[str, Any]) -> Any:
        for message in self.posted:
            if (message["channel"], message["ts"]) == (said["channel"], said["ts"]):
                if problem := self.problem(said):
                    return problem
                self.edited.append(said)
                message.update(said)
                return {"channel": said["channel"], "ts": said["ts"]}
        return refuse("message_not_found")

    def views_open(self, said: dict[str, Any]) -> Any:
        view = said["view"]
        view = json.loads(view) if isinstance(view, str) else view
        if said["trigger_id"] == "expired":
            return refuse("expired_trigger_id")
        if faults := list(faults_of_view(view)):
            return refuse("invalid_arguments", faults)
        self.dialogs.append(view)
        return {"view": {"id": "V1", **view}}

    def place(self, channel: str) -> str:
        return channel.replace("U", "D", 1) if channel in self.people else channel

    def problem(self, said: dict[str, Any]) -> Answer | None:
        known = {*self.channels, *self.people, *map(self.place, self.people)}
        if said["channel"] not in known:
            return refuse("channel_not_found")
        blocks = said["blocks"]
        blocks = json.loads(blocks) if isinstance(blocks, str) else blocks
        said["blocks"] = blocks
        if len(said["text"]) > 4000:
            return refuse("msg_too_long")
        if faults := list(faults_of(blocks)):
            return refuse("invalid_blocks", faults)
        if len(json.dumps(blocks, ensure_ascii=False)) > 13_200:
            return refuse("msg_blocks_too_long")
        return None

    # What people are told

    def _hear(self, told: dict[str, Any]) -> Answer:
        with self._arrived:
            self.told.append(told)
            self._arrived.notify_all()
        return Answer(body=b"ok")

    def heard(self, count: int = 1) -> list[str]:
        """Return the sentences that whoever pressed was told, once so many are there."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.told) >= count, 5)
        assert arrived, self.told
        return [each["text"] for each in self.told]

    # What people do

    def press(
        self, message: dict[str, Any], which: str, user: str = "U0ALICE", **more: Any
    ) -> Any:
        """Press a button, as Slack would tell us."""
        [button] = [b for b in buttons(message) if b["action_id"] == which]
        return self.send(pressing(self.url, message, button, user) | more)

    def fill_in(
        self, comment: str = "", confirmed: bool = True, user: str = "U0ALICE"
    ) -> Any:
        """Send the dialog that was opened last, as Slack would tell us."""
        return self.send(filled_in(self.dialogs[-1], comment, confirmed, user))

    def send(self, payload: dict[str, Any]) -> Any:
        body = f"payload={quote_plus(json.dumps(payload))}".encode()
        return self.send_raw(body)

    def send_raw(
        self,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        age: float = 0,
        secret: str = "",
    ) -> Any:
        moment = str(int(clock.now().timestamp() - age))
        headers = {
            "X-Slack-Request-Timestamp": moment,
            "X-Slack-Signature": sign(secret or self.secret, moment, body),
            **(headers or {}),
        }
        kind = headers.pop("Content-Type", FORM)
        client = Client(raise_request_exception=False, enforce_csrf_checks=True)
        return client.generic("POST", "/slack/interact", body, kind, headers=headers)


def person(user: str, name: str, email: str, **fields: Any) -> dict[str, Any]:
    profile = {"real_name": name, "email": email}
    return {"id": user, "team_id": TEAM, "deleted": False, "profile": profile, **fields}


def pressing(
    url: str, message: dict[str, Any], button: dict[str, Any], user: str
) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "user": {"id": user, "username": "whoever", "team_id": TEAM},
        "team": {"id": TEAM, "domain": "acme"},
        "trigger_id": f"{next(triggers)}.2.3",
        "response_url": f"{url}/answers/1",
        "channel": {"id": message["channel"]},
        "message": {"ts": message["ts"], "blocks": message["blocks"]},
        "actions": [{"type": "button", **button}],
    }


def filled_in(
    view: dict[str, Any], comment: str, confirmed: bool, user: str
) -> dict[str, Any]:
    values: dict[str, Any] = {"comment": {"comment": {"value": comment or None}}}
    if any(block.get("block_id") == "confirmed" for block in view["blocks"]):
        chosen = [{"value": "confirmed"}] if confirmed else []
        values["confirmed"] = {"confirmed": {"selected_options": chosen}}
    return {
        "type": "view_submission",
        "trigger_id": f"{next(triggers)}.2.3",
        "user": {"id": user, "team_id": TEAM},
        "team": {"id": TEAM},
        "view": {**view, "state": {"values": values}},
    }


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    actions = [block for block in message["blocks"] if block["type"] == "actions"]
    return [button for block in actions for button in block["elements"]]


def verdicts(message: dict[str, Any]) -> list[str]:
    """Return what can be pressed in a message, but for the link."""
    return [b["action_id"] for b in buttons(message) if "url" not in b]


def shown(message: dict[str, Any]) -> str:
    """Return the text of a message as people read it."""
    found = "\n".join(text["text"] for text, _ in texts_of(message["blocks"]))
    return found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def refuse(error: str, messages: list[str] | None = None, status: int = 200) -> Answer:
    told = {"response_metadata": {"messages": messages}} if messages else {}
    return Answer(status, {"ok": False, "error": error, **told})


def said(call: Call) -> dict[str, Any]:
    if call.headers.get("Content-Type", "").startswith("application/json"):
        found: dict[str, Any] = json.loads(call.body)
        return found
    query = call.path.partition("?")[2]
    return {**dict(parse_qsl(query)), **call.form}


def texts_of(blocks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield every text object of these blocks, with the kind of its place."""
    for block in blocks:
        if "text" in block:
            yield block["text"], block["type"]
        for text in block.get("fields", ()):
            yield text, "field"
        for element in block.get("elements", ()):
            yield (
                (element["text"], "button")
                if "action_id" in element
                else (
                    element,
                    "element",
                )
            )


def faults_of(blocks: list[dict[str, Any]], most: int = 50) -> Iterator[str]:
    """Say what Block Kit would not take."""
    if not 1 <= len(blocks) <= most:
        yield f"{len(blocks)} blocks"
    for block in blocks:
        if block["type"] not in {"header", "section", "context", "actions", "input"}:
            yield f"no block: {block['type']}"
        if len(block.get("fields", ())) > 10 or len(block.get("elements", ())) > 25:
            yield f"too much in a {block['type']}"
        for button in block["elements"] if block["type"] == "actions" else ():
            if len(button.get("value", "")) > 2000 or len(button.get("url", "")) > 3000:
                yield "a button that is too long"
    for text, kind in texts_of(blocks):
        if text["type"] not in {"plain_text", "mrkdwn"}:
            yield f"no text: {text['type']}"
        if kind in {"header", "button"} and text["type"] != "plain_text":
            yield f"markup in a {kind}"
        if not 1 <= len(text["text"]) <= LIMITS[kind]:
            yield f"{len(text['text'])} characters in a {kind}"


def faults_of_view(view: dict[str, Any]) -> Iterator[str]:
    yield from faults_of(view["blocks"], most=100)
    for name in ("title", "submit", "close"):
        if name in view and not 1 <= len(view[name]["text"]) <= 24:
            yield f"{name}: {view[name]['text']}"
    if len(view.get("private_metadata", "")) > 3000:
        yield "too much private metadata"
    for block in view["blocks"]:
        if block["type"] == "input" and len(block["label"]["text"]) > 2000:
            yield "a label that is too long"
        options = block.get("element", {}).get("options", ())
        if any(len(option["text"]["text"]) > 75 for option in options):
            yield "an option that is too long"


@contextmanager
def running() -> Iterator[SlackServer]:
    with webserver.running() as server:
        yield SlackServer(server)
