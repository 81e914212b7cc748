"""No webhook reaches what is inside: not by an address, nor by what a name leads to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from notifications.transports.base import DeliveryError
from notifications.webhooks import addresses, wire
from notifications.webhooks.addresses import BadAddress, Target
from tests.notifications.receivers import Receiver

# What a name may lead to that nobody outside can be.
INSIDE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3"),
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200"),
    *("168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.7"),
    *("203.0.113.9", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1"),
    *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::", "fe80::1"),
    *("fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1", "2001:db8::1"),
    *("3fff::1", "2001:10::1", "5f00::1"),
]
# The same in an address, and in the ways in which numbers can be disguised.
DISGUISED = [
    *("https://127.0.0.1/", "https://[::1]/", "https://[::ffff:169.254.169.254]/"),
    *("https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/"),
    *("https://017700000001/", "https://0177.0.0.1/", "https://127.1/"),
    *("https://127.0.1/", "https://0/", "https://0x/", "https://127.0.0.1./"),
    *("https://1.2.3.4.5/", "https://256.1.1.1/", "https://010.8.8.8/"),
    *("https://8.8.8.08/", "https://[fe80::1%25eth0]/", "https://[::1%eth0]/"),
    *("https://[127.0.0.1]/", "https://%31%32%37.0.0.1/", "https://①②⑦.0.0.1/"),
    *("https://127。0。0。1/", "https://agent.example.com\\@127.0.0.1/"),
    *("https://agent@127.0.0.1/", "https://user:word@agent.example.com/"),
    *("https://@agent.example.com/", "https://agent.example.com#@127.0.0.1/"),
    *("https://agent.example.com:80/", "https://agent.example.com:22/"),
    *("https://agent.example.com:0/", "https://agent.example.com:99999/"),
    *("https://agent.example.com:x/", "http://agent.example.com/"),
    *(
        "http://agent.example.com:443/",
        "ftp://agent.example.com/",
        "file:///etc/passwd",
    ),
    *("gopher://agent.example.com/", "unix:///run/docker.sock", "//agent.example.com/"),
    *("agent.example.com", "", "https://", "https:///path", "https://-a.example.com/"),
    *("https://a..example.com/", "https://example.com./", "https://a b.example.com/"),
    *("https://agent.example.com/ ", " https://agent.example.com/", "https://a\n.b/"),
    *("https://agent.example.com/\r\nX: 1", "https://agent.example.com/\0"),
    *("https://agent.example.com/ä", "https://bücher.example/", "javascript:alert(1)"),
    *("https://[::1", "https://exa%6dple.com/", f"https://example.com/{'a' * 500}"),
]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Everything that any socket is connected to: it must stay empty."""
    made: list[Any] = []

    class Watched(socket.socket):
        def connect(self, address: Any) -> None:
            made.append(address)
            raise OSError("This one was let through.")

    monkeypatch.setattr(socket, "socket", Watched)
    yield made
    assert made == []


def leading_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """Have names lead to one answer after the other, and numbers to themselves."""
    left = list(answers)
    look_up = socket.getaddrinfo

    def answer(host: str, port: int, *args: Any, **named: Any) -> Any:
        if not host.endswith("example.com"):
            return look_up(host, port, *args, **named)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [info for each in found for info in look_up(each, port, *args, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def post() -> None:
    wire.post("https://agent.example.com/hook", b"{}", {})


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_not_connected_to(
    address: str, monkeypatch: pytest.MonkeyPatch, connections: list[Any]
) -> None:
    leading_to(monkeypatch, [address])

    with pytest.raises(DeliveryError, match="no public address"):
        post()


@pytest.mark.parametrize("url", DISGUISED)
def test_an_address_that_is_none_is_refused(url: str, connections: list[Any]) -> None:
    with pytest.raises(BadAddress):
        addresses.read(url)
    with pytest.raises(DeliveryError):
        wire.post(url, b"{}", {})


def test_there_are_more_than_forty() -> None:
    assert len(INSIDE) > 40
    assert len(DISGUISED) > 40


@pytest.mark.parametrize("order", [1, -1])
def test_one_address_inside_is_enough(
    order: int, monkeypatch: pytest.MonkeyPatch, connections: list[Any]
) -> None:
    leading_to(monkeypatch, ["93.184.215.14", "10.0.0.1"][::order])

    with pytest.raises(DeliveryError, match=r"10\.0\.0\.1, which is no public address"):
        post()


def test_a_name_that_changes_its_mind_is_resolved_each_time(
    monkeypatch: pytest.MonkeyPatch, connections: list[Any]
) -> None:
    leading_to(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])

    with pytest.raises(DeliveryError, match="let through"):
        post()
    assert connections == [("93.184.215.14", 443)]
    connections.clear()

    with pytest.raises(DeliveryError, match="no public address"):
        post()


def test_what_the_socket_is_connected_to_counts(
    receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the network led a public address inside: what was resolved was fine.
    settings.WEBHOOK_NETWORKS = []
    create = socket.create_connection
    here = ("127.0.0.1", receiver.port)
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: create(here))
    leading_to(monkeypatch, ["93.184.215.14"])

    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1, which is no public"):
        wire.post(f"http://agent.example.com:{receiver.port}/", b"{}", {})
    assert receiver.received == []


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://agent.example.com/hook", Target(True, "agent.example.com", 443)),
        ("https://AGENT.example.com:443", Target(True, "agent.example.com", 443)),
        ("https://8.8.8.8/?a=b%20c", Target(True, "8.8.8.8", 443)),
        ("https://[2606:4700::1111]/", Target(True, "2606:4700::1111", 443)),
        ("https://xn--bcher-kva.example/", Target(True, "xn--bcher-kva.example", 443)),
        ("https://agent/", Target(True, "agent", 443)),
        ("https://a_b.example.com/", Target(True, "a_b.example.com", 443)),
    ],
)
def test_public_addresses_are_allowed(url: str, target: Target) -> None:
    assert addresses.read(url) == target


def test_networks_and_ports_can_be_allowed(settings: Settings) -> None:
    settings.WEBHOOK_PORTS = [8443]
    settings.WEBHOOK_NETWORKS = ["10.20.0.0/16", "fd00:1::/32"]

    assert addresses.read("https://10.20.0.1:8443/").port == 8443
    assert addresses.read("https://[fd00:1::7]:8443/").host == "fd00:1::7"
    for url in ("https://10.21.0.1:8443/", "https://10.20.0.1/"):
        with pytest.raises(BadAddress):
            addresses.read(url)
