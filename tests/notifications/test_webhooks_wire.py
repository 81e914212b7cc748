"""One post to a receiver that may do anything: an answer or a reason, in time."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from pytest_django import Settings

from governance import clock
from notifications.transports.base import DeliveryError
from notifications.webhooks import line, wire
from notifications.webhooks.wire import Answer
from tests.notifications import receivers
from tests.notifications.receivers import (
    Receiver,
    answering,
    dripping,
    flooding,
    raw,
    silent,
)

OK = b"HTTP/1.1 200 OK\r\n"


def post(receiver: Receiver, path: str = "/hook") -> Answer:
    url = f"http://127.0.0.1:{receiver.port}{path}"
    return wire.post(url, b'{"a":1}', {"webhook-id": "msg_1"})


def refusal(receiver: Receiver) -> str:
    with pytest.raises(DeliveryError) as caught:
        post(receiver)
    return str(caught.value)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Half a second for everything, and see to it that it is no more."""
    monkeypatch.setattr(wire, "SECONDS", 0.5)
    monkeypatch.setattr(wire, "SECONDS_FOR_WORDS", 0.2)
    started = time.monotonic()
    yield
    assert time.monotonic() - started < 2


def test_it_posts_what_it_is_given(receiver: Receiver) -> None:
    answer = post(receiver, "/hook?agent=1")

    assert (answer.status, answer.words) == (200, "ok")
    [received] = receiver.received
    assert received.line == "POST /hook?agent=1 HTTP/1.1"
    assert received.body == b'{"a":1}'
    assert received.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "webhook-id": "msg_1",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
        "content-length": "7",
        "content-type": "application/json",
        "user-agent": "Countersign",
    }


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(receiver: Receiver, status: int) -> None:
    receiver.manner = answering(status, b"")

    assert post(receiver).is_success()


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 400, 404, 500, 599])
def test_nothing_else_is_and_no_redirect_is_followed(
    receiver: Receiver, status: int
) -> None:
    elsewhere = f"http://127.0.0.1:{receiver.port}/elsewhere"
    receiver.manner = answering(status, Location=elsewhere)

    assert not post(receiver).is_success()
    assert len(receiver.received) == 1


def test_proxies_of_the_environment_are_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert post(receiver).status == 200


# Slow


def test_a_silent_receiver_has_an_end(receiver: Receiver, hasty: None) -> None:
    receiver.manner = silent

    assert refusal(receiver) == "There was no answer within 0.5 seconds."


def test_so_has_one_that_drips_its_head(receiver: Receiver, hasty: None) -> None:
    receiver.manner = dripping(OK + b"X-A: " + b"a" * 1000)

    assert refusal(receiver) == "There was no answer within 0.5 seconds."


def test_for_the_words_of_an_answer_nobody_waits_long(
    receiver: Receiver, hasty: None
) -> None:
    head = OK + b"Content-Length: 1000\r\n\r\n"
    receiver.manner = dripping(b"yes", head=head)

    answer = post(receiver)
    assert answer.status == 200
    assert answer.words.startswith("ye")


def test_one_that_never_reads_has_an_end(settings: Settings, hasty: None) -> None:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    settings.WEBHOOK_PLAIN_HTTP = True
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
        settings.WEBHOOK_PORTS = [port]
        with pytest.raises(DeliveryError, match="no answer within"):
            wire.post(f"http://127.0.0.1:{port}/", b"x" * 20_000_000, {})


def test_so_has_a_name_that_nobody_resolves(
    monkeypatch: pytest.MonkeyPatch, hasty: None
) -> None:
    released = threading.Event()

    def hang(*args: Any, **named: Any) -> list[Any]:
        released.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)

    with pytest.raises(DeliveryError, match="no answer within"):
        wire.post("https://agent.example.com/", b"", {})
    released.set()


# Large, lying, broken


@pytest.mark.parametrize(
    "head",
    [
        OK + b"Content-Length: 1000000000000\r\n\r\n",
        OK + b"\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 99999999\r\n\r\n",
    ],
)
def test_of_a_body_without_end_only_the_beginning_is_read(
    receiver: Receiver, head: bytes
) -> None:
    receiver.manner = flooding(head, b"a" * 10_000)

    answer = post(receiver)
    assert (answer.status, answer.words) == (200, "a" * 1024)


def test_nor_is_a_head_without_end(receiver: Receiver) -> None:
    receiver.manner = flooding(OK, b"X-A: " + b"a" * 1000 + b"\r\n")

    assert "no end" in refusal(receiver)


def test_nor_one_that_goes_on_promising(receiver: Receiver) -> None:
    receiver.manner = flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    assert "no end" in refusal(receiver)


def test_not_more_is_taken_in_than_it_must(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0
    read = line._Line.read

    def counted(self: Any, *args: Any, **named: Any) -> bytes:
        nonlocal taken
        data = read(self, *args, **named)
        taken += len(data)
        return data

    monkeypatch.setattr(line._Line, "read", counted)
    receiver.manner = flooding(OK, b"X-A: " + b"a" * 1000 + b"\r\n")
    refusal(receiver)
    assert taken == 64 * 1024


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (OK + b"Content-Length: 1000\r\n\r\nhalf", "half"),
        (OK + b"Content-Length: 2\r\n\r\nokand more", "ok"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n", "half"),
        (OK + b"\r\n", ""),
    ],
)
def test_a_status_counts_whatever_its_length_says(
    receiver: Receiver, data: bytes, words: str
) -> None:
    receiver.manner = raw(data)

    assert post(receiver) == Answer(200, words, "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"\x16\x03\x01" + b"\0" * 100,
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n",
    ],
)
def test_what_is_no_answer_is_a_failure(receiver: Receiver, data: bytes) -> None:
    receiver.manner = raw(data)

    assert refusal(receiver)


def test_a_bomb_is_not_unpacked(receiver: Receiver) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    named = {"Content-Encoding": "gzip"}
    receiver.manner = answering(200, bomb, **named)

    answer = post(receiver)
    assert answer.status == 200
    assert "⟨U+0000⟩" in answer.words
    assert len(answer.words) < 10_000


def test_nothing_hides_in_the_words_of_an_answer(receiver: Receiver) -> None:
    receiver.manner = answering(500, "\0\u202eevil\u200b<script>\xff".encode())

    words = post(receiver).words
    assert words == "⟨U+0000⟩⟨U+202E⟩evil⟨U+200B⟩<script>\xff"


def test_nobody_there_is_said(receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    receiver.port = port

    assert "not allowed" in refusal(receiver)


def test_a_refused_connection_is_said(receiver: Receiver, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        receiver.port = door.getsockname()[1]
    settings.WEBHOOK_PORTS = [receiver.port]

    assert "refused" in refusal(receiver)


# By TLS


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    """Return a server's side of TLS, with a certificate of its own for this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    at = clock.now()
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name.startswith("127."):
        names = [x509.IPAddress(ip_address(name))]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    whole = made.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    (folder / "server.pem").write_bytes(whole)
    (folder / "trusted.pem").write_bytes(made.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@pytest.fixture
def secure(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Receiver]:
    """One that is agent.example.com, by its certificate and by what names lead to."""
    with receivers.running(certificate(tmp_path, "agent.example.com")) as found:
        settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
        settings.WEBHOOK_PORTS = [found.port]
        look_up = socket.getaddrinfo

        def here(host: str, *args: Any, **named: Any) -> Any:
            name = "127.0.0.1" if host.endswith("example.com") else host
            return look_up(name, *args, **named)

        monkeypatch.setattr(socket, "getaddrinfo", here)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
        wire.trusted.cache_clear()
        yield found
    wire.trusted.cache_clear()


def test_the_certificate_is_that_of_the_name(secure: Receiver) -> None:
    url = f"https://agent.example.com:{secure.port}/hook"
    assert wire.post(url, b"{}", {}).status == 200
    [received] = secure.received
    assert received.headers["host"] == f"agent.example.com:{secure.port}"


def test_another_name_is_refused(secure: Receiver) -> None:
    url = f"https://other.example.com:{secure.port}/hook"
    with pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED"):
        wire.post(url, b"{}", {})
    assert secure.received == []


def test_a_certificate_of_nobody_we_trust_is_refused(
    secure: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    wire.trusted.cache_clear()
    url = f"https://agent.example.com:{secure.port}/hook"
    with pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED"):
        wire.post(url, b"{}", {})


def test_a_handshake_that_hangs_has_an_end(receiver: Receiver, hasty: None) -> None:
    receiver.tls = None
    receiver.serve = lambda line: time.sleep(5)  # type: ignore[method-assign]
    with pytest.raises(DeliveryError, match="no answer within"):
        wire.post(f"https://127.0.0.1:{receiver.port}/", b"{}", {})
