"""How is one message posted to somebody who may be slow, huge, lying or hostile?

Nothing is redirected, sent through a proxy, kept open or decoded. Everything together,
from the look-up of the name to the last byte, has one deadline.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from ssl import SSLContext
from urllib.parse import urlsplit

import httpcore
import httpx

from governance.text_safety import visible
from notifications.transports.base import DeliveryError
from notifications.webhooks import addresses
from notifications.webhooks.line import Deadline, Guarded

SECONDS = 15.0
# An answer's status is what counts: for its words nobody waits long.
SECONDS_FOR_WORDS = 2.0
EXCERPT = 1024
_BROKEN_OFF = (
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.NetworkError,
    DeliveryError,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said, as far as it was read."""

    status: int
    # How the body began, with everything in it made visible.
    words: str
    retry_after: str

    def is_success(self) -> bool:
        return 200 <= self.status < 300


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Return the answer, whatever its status, or raise ``DeliveryError`` without one."""
    deadline = Deadline(SECONDS)
    try:
        target = addresses.read(url)
        context = trusted() if target.secure else None
        line = Guarded(deadline)
        place = httpcore.URL(url)
        connection = httpcore.HTTPConnection(
            place.origin, ssl_context=context, network_backend=line
        )
        with closing(connection):
            sent = {"Host": urlsplit(url).netloc, **headers, **_fixed(body)}
            return _exchange(connection, place, sent, body, deadline)
    except addresses.BadAddress as refusal:
        raise DeliveryError(str(refusal)) from refusal
    except httpcore.TimeoutException as error:
        raise deadline.over() from error
    except httpcore.ProtocolError as error:
        raise DeliveryError(f"The answer is not HTTP: {error}") from error
    except (httpcore.NetworkError, OSError) as error:
        raise DeliveryError(f"The connection failed: {error}") from error


def _fixed(body: bytes) -> dict[str, str]:
    return {
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Content-Length": str(len(body)),
        "Content-Type": "application/json",
        "User-Agent": "Countersign",
    }


def _exchange(
    connection: httpcore.HTTPConnection,
    place: httpcore.URL,
    headers: Mapping[str, str],
    body: bytes,
    deadline: Deadline,
) -> Answer:
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    with connection.stream("POST", place, headers=sent, content=body) as response:
        deadline.shorten(SECONDS_FOR_WORDS)
        said = {name.lower(): value for name, value in response.headers}
        return Answer(
            response.status,
            _words(response),
            said.get(b"retry-after", b"").decode("ascii", "replace"),
        )


def _words(response: httpcore.Response) -> str:
    """Return how the body begins. What breaks off or drips has said enough."""
    read = bytearray()
    with suppress(*_BROKEN_OFF):
        for part in response.iter_stream():
            read += part
            if len(read) >= EXCERPT:
                break
    return visible(read[:EXCERPT].decode("utf-8", "replace"))


@lru_cache(maxsize=1)
def trusted() -> SSLContext:
    """Return whom we trust: SSL_CERT_FILE, else what certifi lists."""
    return httpx.create_ssl_context()
