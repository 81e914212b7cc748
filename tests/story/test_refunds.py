"""The story that must always work, over HTTP, on both databases."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import socket
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import rfc8785

from tests.processes import eventually
from tests.story.conftest import Installation

pytestmark = pytest.mark.slow


def ask(api: httpx.Client, amount: float, customer: str = "", **more: Any) -> Any:
    params = {
        "order_id": "A-1001",
        "customer_id": customer or f"C-{uuid.uuid4()}",
        "amount": amount,
        "currency": "USD",
    }
    body = {"action": "refund.create", "params": params, **more}
    answer = api.post("/actions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def digest(action: dict[str, Any]) -> str:
    what = {name: action[name] for name in ("action", "params", "resource")}
    text = b"countersign/action/v1\n" + rfc8785.dumps(what)
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def test_the_75_dollar_refund(installation: Installation) -> None:
    with installation.api as api:
        asked = ask(
            api,
            75,
            resource={"type": "order", "id": "A-1001"},
            reason="The customer reports a cracked screen.",
            context={"order_total": 129},
        )
        assert asked["status"] == "pending"
        assert asked["digest"] == digest(asked)
        eventually(lambda: "notified" in kinds(installation, asked["id"]), within=20)

        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(wait, api, asked["id"], 30)
            time.sleep(0.5)
            decided = installation.manage(
                *("decide", asked["id"], "approve", "--as", "mara"),
                *("--comment", "Photo checked.", "--condition", "Today."),
            )
            assert decided.returncode == 0, decided.stderr
            answer, _ = waiting.result()

        assert answer["status"] == "approved"
        assert answer["approval"]["comment"] == "Photo checked."
        assert answer["approval"]["conditions"] == ["Today."]
        path = f"/actions/{asked['id']}"
        spent = api.post(f"{path}/consume", json={"digest": digest(answer)})
        assert spent.json()["status"] == "executing"
        done = api.post(f"{path}/outcome", json={"status": "succeeded"})
        assert done.json()["status"] == "succeeded"

    told = kinds(installation, asked["id"])
    for kind in ("submitted", "notified", "voted", "approved", "consumed"):
        assert kind in told
    assert told[-1] == "outcome_reported"


def kinds(installation: Installation, action: str) -> list[str]:
    exported = installation.manage("export_audit", "--format", "csv")
    assert exported.returncode == 0, exported.stderr
    rows = csv.DictReader(io.StringIO(exported.stdout))
    return [row["kind"] for row in rows if action in row.values()]


def wait(api: httpx.Client, pk: str, seconds: int) -> tuple[dict[str, Any], float]:
    answer = api.get(f"/actions/{pk}", params={"wait": seconds})
    return answer.json(), time.monotonic()


def wait_alone(
    installation: Installation, pk: str, seconds: int
) -> tuple[dict[str, Any], float]:
    with installation.api as api:
        return wait(api, pk, seconds)


def test_a_waiting_agent_hears_of_it_within_a_second(
    installation: Installation,
) -> None:
    # One of these is decided, by another process; the others wait on.
    with installation.api as api, ThreadPoolExecutor(200) as pool:
        asked = [ask(api, 75) for _ in range(20)]
        waiters: list[Future[tuple[dict[str, Any], float]]] = [
            pool.submit(wait_alone, installation, action["id"], 4)
            for action in asked
            for _ in range(10)
        ]
        chosen = asked[7]["id"]
        time.sleep(2)
        server = installation.serving.child("web")
        assert psutil.Process(server.pid).num_threads() < 40

        code = (
            "from approvals import services; from approvals.models import Vote;"
            "from approvals.services import review;"
            "from governance.models import User; import time;"
            f"r = review.find('{chosen}'); u = User.objects.get(username='mara');"
            "services.decide(r, u, Vote.Verdict.APPROVE, digest=r.digest);"
            "print(time.monotonic())"
        )
        decided = installation.manage("shell", "-v", "0", "-c", code)
        at = float(decided.stdout.strip().splitlines()[-1])
        results = [waiter.result() for waiter in waiters]

    heard = [when for answer, when in results if answer["id"] == chosen]
    assert len(heard) == 10
    assert max(heard) - at < 1
    others = {a["status"] for a, _ in results if a["id"] != chosen}
    assert others == {"pending"}


def test_waiting_ends_with_the_deadline(installation: Installation) -> None:
    with installation.api as api:
        asked = ask(api, 75, expires_in=2)
        began = time.monotonic()
        answer, heard = wait(api, asked["id"], 30)

    assert answer["status"] == "expired"
    assert heard - began < 4


def test_waiting_is_refused_like_any_other_call(installation: Installation) -> None:
    with httpx.Client(base_url=installation.url) as stranger:
        path = f"/api/v1/actions/{uuid.uuid4()}?wait=30"
        assert stranger.get(path).status_code == 401
    with installation.api as api:
        assert api.get(f"/actions/{uuid.uuid4()}?wait=30").status_code == 404
        assert api.get(f"/actions/{uuid.uuid4()}?wait=x").status_code == 404


def test_a_worker_expires_what_nobody_decided(installation: Installation) -> None:
    with installation.api as api:
        asked = ask(api, 75, expires_in=1)
        eventually(lambda: "expired" in kinds(installation, asked["id"]), within=20)


def test_a_rejection_is_heard_too(installation: Installation) -> None:
    with installation.api as api:
        asked = ask(api, 450)
        refused = installation.manage("decide", asked["id"], "approve", "--as", "mara")
        assert refused.returncode == 1
        assert "not among the people" in refused.stderr + refused.stdout
        done = installation.manage("decide", asked["id"], "reject", "--as", "finn")
        assert done.returncode == 0
        assert wait(api, asked["id"], 5)[0]["status"] == "rejected"


def raw(installation: Installation, request: bytes, patience: float = 10) -> bytes:
    """Send bytes as no library would, and return the answer."""
    address = urlsplit(installation.url)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), patience) as wire:
        wire.sendall(request.replace(b"KEY", installation.key.encode()))
        answer = b""
        with suppress(ConnectionError, TimeoutError):
            while part := wire.recv(65_536):
                answer += part
    return answer


HEAD = b"POST /api/v1/actions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
HEAD += b"Authorization: Bearer KEY\r\nContent-Type: application/json\r\n"
BODY = b'{"action": "refund.create", "params": {"amount": 20, "customer_id": "raw"}}'


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (*parts, b""))


def test_a_body_in_chunks_is_read_like_any_other(installation: Installation) -> None:
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = raw(installation, head + chunks(BODY[:20], BODY[20:]))

    assert answer.startswith(b"HTTP/1.1 201")


def test_a_body_in_chunks_is_capped(installation: Installation) -> None:
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = raw(installation, head + chunks(*[b" " * 65_536] * 5))

    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"body_too_large"' in answer


def test_a_length_that_lies_gets_no_further(installation: Installation) -> None:
    answer = raw(installation, HEAD + b"Content-Length: 900\r\n\r\n" + BODY, 2)

    assert not answer.startswith(b"HTTP/1.1 2")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"Idempotency-Key: a\r\nIdempotency-Key: b\r\n", b"400"),
        (b"Authorization: Bearer KEY\r\n", b"401"),
    ],
)
def test_a_header_may_not_be_sent_twice(
    installation: Installation, lines: bytes, status: bytes
) -> None:
    length = b"Content-Length: %d\r\n\r\n" % len(BODY)
    answer = raw(installation, HEAD + lines + length + BODY)

    assert answer.startswith(b"HTTP/1.1 " + status)


def test_headers_are_capped(installation: Installation) -> None:
    answer = raw(installation, HEAD + b"X: " + b"x" * 200_000 + b"\r\n\r\n")

    assert not answer.startswith(b"HTTP/1.1 2")


def test_health_and_metrics_are_there(installation: Installation) -> None:
    with httpx.Client(base_url=installation.url) as http:
        assert http.get("/healthz").json() == {"status": "ok"}
        assert http.get("/readyz").status_code == 200
        assert "countersign_actions" in http.get("/metrics").text
        schema = json.loads(http.get("/api/v1/schema").text)
        assert schema["openapi"].startswith("3.1")
        assert http.get("/api/v1/docs").status_code == 200


@pytest.mark.parametrize(
    ("query", "host", "status"),
    [
        ("wait=1&foo=1", "localhost", 400),
        ("wait=1&token=abc", "localhost", 400),
        ("wait=-1", "localhost", 400),
        ("wait=x", "localhost", 400),
        ("wait=1", "evil.example", 400),
        ("wait=3600", "localhost", 200),
    ],
)
def test_waiting_asks_no_less_than_reading(
    installation: Installation, query: str, host: str, status: int
) -> None:
    with installation.api as api:
        asked = ask(api, 20)
        answer = api.get(f"/actions/{asked['id']}?{query}", headers={"Host": host})

    assert answer.status_code == status


def test_whoever_sends_slowly_holds_up_nobody(installation: Installation) -> None:
    address = urlsplit(installation.url)
    assert address.hostname
    assert address.port
    head = b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
    wires = [
        socket.create_connection((address.hostname, address.port), 10)
        for _ in range(20)
    ]
    try:
        for wire in wires:
            wire.sendall(head + b"Content-Type: text/plain\r\n\r\nx")
        time.sleep(0.5)
        with installation.api as api:
            assert ask(api, 20)["status"] == "allowed"
    finally:
        for wire in wires:
            wire.close()
