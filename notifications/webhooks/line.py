"""What is at the other end of this socket, and for how long do we listen?

The name is resolved here, every address it leads to is checked, and once more the one
that the socket is connected to.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from ssl import SSLContext
from typing import Any

import httpcore

from notifications.transports.base import DeliveryError
from notifications.webhooks import addresses

# Of everything a receiver sends: head and body, as they come.
MOST_BYTES = 64 * 1024
MOST_ADDRESSES = 4


class Deadline:
    """The moment at which everything together must be over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Return how many seconds are left, or raise ``DeliveryError``."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise self.over()
        return left

    def shorten(self, seconds: float) -> None:
        self._at = min(self._at, time.monotonic() + seconds)

    def over(self) -> DeliveryError:
        return DeliveryError(f"There was no answer within {self.seconds:g} seconds.")


class Guarded(httpcore.NetworkBackend):
    """Connects to allowed addresses only, whatever a name leads to."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        found = self._found(host, port)
        problem: Exception | None = None
        for tried, address in enumerate(found):
            share = self._deadline.left() / (len(found) - tried)
            try:
                stream = self._inner.connect_tcp(
                    address, port, share, socket_options=()
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
                continue
            return self._checked(stream)
        assert problem
        raise problem

    def _found(self, host: str, port: int) -> list[str]:
        """Return the addresses of a name, all of which must be allowed."""
        found = _looked_up(host, port, self._deadline)
        for address in found:
            _check(address)
        return found[:MOST_ADDRESSES]

    def _checked(self, stream: httpcore.NetworkStream) -> httpcore.NetworkStream:
        try:
            _check(stream.get_extra_info("server_addr")[0])
        except BaseException:
            stream.close()
            raise
        return _Line(stream, self._deadline)


class _Line(httpcore.NetworkStream):
    """A connection that keeps to the deadline, and takes in no more than it must."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline
        self._room = MOST_BYTES

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._room <= 0:
            raise DeliveryError("The answer has no end, or none worth waiting for.")
        most = min(max_bytes, self._room)
        data = self._stream.read(most, self._deadline.left())
        self._room -= len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        line: socket.socket = self._stream.get_extra_info("socket")
        rest = memoryview(buffer)
        try:
            while rest:
                # Anew for each part: who takes in a byte a second gains no time.
                line.settimeout(self._deadline.left())
                rest = rest[line.send(rest) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left()
        inner = self._stream.start_tls(ssl_context, server_hostname, left)
        return _Line(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _check(address: str) -> None:
    if not addresses.is_allowed(ip_address(address)):
        raise DeliveryError(f"The name leads to {address}, which is no public address.")


def _looked_up(host: str, port: int, deadline: Deadline) -> list[str]:
    """Return where a name leads. A resolver that hangs is left behind in its thread."""
    answers: SimpleQueue[list[str] | OSError] = SimpleQueue()

    def look() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as problem:
            answers.put(OSError(str(problem)))
        else:
            answers.put(list(dict.fromkeys(str(each[4][0]) for each in found)))

    threading.Thread(target=look, daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except Empty:
        raise deadline.over() from None
    if isinstance(answer, OSError) or not answer:
        raise DeliveryError(f"The name {host} leads nowhere: {answer}")
    return answer
