"""Where may a webhook go? To public addresses, by https, at the ports allowed.

What an administrator types is checked when it is saved, and what its name leads to each
time it is connected to: a name that was public yesterday may lead inside today.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from governance.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST = 500
_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*"
    r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
    re.ASCII,
)
# Not reachable for everybody, or not one receiver. Spelled out, because the tables of
# ``ipaddress`` differ between versions of Python (IANA's special-purpose registries).
_SPECIAL = [
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # What a cloud answers its own machines at.
        "168.63.129.16/32",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    )
]
# All of IPv6 that is handed out. What embeds an IPv4 address (mapped, NAT64) is outside
# it, or special above (6to4, Teredo).
_UNICAST = ipaddress.ip_network("2000::/3")


class BadAddress(Invalid):
    code = "webhook_address"


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook's address, taken apart."""

    secure: bool
    host: str
    port: int


def read(url: str) -> Target:
    """Return what the address says, or raise ``BadAddress`` with what is wrong."""
    if len(url) > LONGEST:
        raise BadAddress(f"Keep the address under {LONGEST} characters.")
    if not url.isascii() or re.search(r"[\x00-\x20\x7f\\\"<>^`{|}]", url):
        raise BadAddress(
            "Write the address in plain ASCII, without spaces: other letters as xn--… "
            "in its name, percent-encoded behind it."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadAddress("This is no address: https://agent.example.com/…") from None
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise BadAddress("Begin the address with https:// and a name.")
    if "@" in parts.netloc:
        raise BadAddress("Leave user and password out of the address.")
    if "#" in url:
        raise BadAddress("Leave out what is behind #: it is never sent.")
    secure = parts.scheme == "https"
    _check_scheme(secure)
    if port is None:
        port = 443 if secure else 80
    _check_port(port)
    return Target(secure, _host(parts.hostname), port)


def _check_scheme(secure: bool) -> None:
    if not secure and not settings.WEBHOOK_PLAIN_HTTP:
        raise BadAddress("Use https: what is sent by http can be read on the way.")


def _check_port(port: int) -> None:
    allowed: list[int] = settings.WEBHOOK_PORTS
    if port not in allowed:
        ports = " or ".join(map(str, allowed))
        raise BadAddress(f"Port {port} is not allowed here, only {ports}.")


def _host(host: str) -> str:
    """Return the host. An IP address must be written in full, and be allowed."""
    if ":" in host or re.fullmatch(r"(.*\.)?(\d+|0x[0-9a-f]*)\.?", host):
        # By its last part it is a number, in whatever way it is written.
        try:
            literal = ipaddress.ip_address(host)
        except ValueError:
            raise BadAddress("Write an IP address in full: 198.51.100.7.") from None
        if not is_allowed(literal):
            raise BadAddress(f"{literal} is not a public address.")
    elif not _NAME.fullmatch(host):
        raise BadAddress("The name in the address is none.")
    return host


def is_allowed(address: Address) -> bool:
    """Whether a webhook may be connected to this address."""
    if any(address in network for network in _allowed_networks()):
        return True
    if isinstance(address, ipaddress.IPv6Address) and (
        address.scope_id or address not in _UNICAST
    ):
        return False
    return not any(address in network for network in _SPECIAL)


def _allowed_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(each) for each in settings.WEBHOOK_NETWORKS]
