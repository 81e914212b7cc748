"""Real receivers of webhooks on this machine: honest, slow, lying, hostile."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Received:
    """What arrived in one request."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Manner = Callable[[socket.socket, Received], None]


def answering(status: int = 200, body: bytes = b"ok", **headers: str) -> Manner:
    """Answer as an honest server does. ``retry_after`` is sent as ``Retry-After``."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    named.setdefault("Content-Length", str(len(body)))
    lines = "".join(f"{name}: {text}\r\n" for name, text in named.items())
    raw = f"HTTP/1.1 {status} Words\r\n{lines}\r\n".encode() + body
    return lambda line, received: line.sendall(raw)


def raw(data: bytes) -> Manner:
    return lambda line, received: line.sendall(data)


def dripping(data: bytes, every: float = 0.1, head: bytes = b"") -> Manner:
    """Send a byte at a time, and then the last one for ever."""

    def drip(line: socket.socket, received: Received) -> None:
        line.sendall(head)
        for at in range(10_000):
            line.sendall(data[min(at, len(data) - 1) :][:1])
            time.sleep(every)

    return drip


def flooding(head: bytes, part: bytes) -> Manner:
    """Begin an answer, and never end it."""

    def flood(line: socket.socket, received: Received) -> None:
        line.sendall(head)
        # So that it is read by itself.
        time.sleep(0.1)
        for _ in range(100_000):
            line.sendall(part)

    return flood


def silent(line: socket.socket, received: Received) -> None:
    """Say nothing until the other side hangs up."""
    line.settimeout(30)
    line.recv(1)


@dataclass
class Receiver:
    """Keeps what it receives, and answers in one manner, which may be changed."""

    manner: Manner = field(default_factory=answering)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def serve(self, line: socket.socket) -> None:
        with suppress(OSError), self._opened(line) as opened:
            received = self._read(opened)
            if received.line:
                self.received.append(received)
                self.manner(opened, received)

    def _opened(self, line: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(line, server_side=True) if self.tls else line

    def _read(self, line: socket.socket) -> Received:
        with line.makefile("rb") as file:
            first = file.readline().decode().strip()
            headers = {}
            while text := file.readline().decode().strip():
                name, _, value = text.partition(":")
                headers[name.lower()] = value.strip()
            body = file.read(int(headers.get("content-length", 0)))
        return Received(first, headers, body)


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Start one that answers every call in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        receiver = Receiver(port=door.getsockname()[1], tls=tls)
        threading.Thread(target=_open, args=(door, receiver), daemon=True).start()
        yield receiver


def _open(door: socket.socket, receiver: Receiver) -> None:
    with suppress(OSError):
        while True:
            line, _ = door.accept()
            receiver.connections += 1
            threading.Thread(target=receiver.serve, args=(line,), daemon=True).start()
