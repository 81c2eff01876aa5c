"""Which addresses, schemes and ports may be reached: the one gate of every outbound call.

It stands in three places. ``check`` reads a URL before it is asked, and each redirect's target. The resolver drops
refused addresses from DNS answers. The socket factory looks at the very address that is about to be connected to,
so that nothing that a name, a literal or a rebinding answer stands for gets past the first two.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from services.text.urls import URL_MAX

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

CONNECTIONS_MAX = 100
"""Open at once: politeness limits each host, this limits us."""
PORT_UNPRIVILEGED = 1_024
PORTS_ALLOWED = frozenset({80, 443})
PORTS_REFUSED = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 5060, 5061, 6000, 6566, 6697, 10080}
) | frozenset(range(6665, 6670))
"""Ports of other protocols, which an HTTP request must not be sent to: the browsers' list."""
SCHEMES = frozenset({"http", "https"})

_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_IPV4_PARTS_MAX = 4

_V4_REFUSED = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers (CGNAT)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_V6_GLOBAL = ipaddress.IPv6Network("2000::/3")
_V6_REFUSED = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, benchmarks, ORCHID: protocol assignments
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which can stand for any IPv4 address
        "3fff::/20",  # documentation
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class RefusedAddress(OSError):  # noqa: N818 - what happened, as asyncio sees it
    """The gate does not let calls out to this address."""


def is_public(address: IpAddress) -> bool:
    """Tell whether an address is a host on the public internet; IPv4 inside IPv6 is judged as that IPv4.

    The networks are ours, not ``ipaddress``'s: those changed between Python versions.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _V4_REFUSED)
    if (inner := _inner_ipv4(address)) is not None:
        return is_public(inner)
    return address in _V6_GLOBAL and not any(address in network for network in _V6_REFUSED)


def _inner_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def literal(host: str) -> IpAddress | None:
    """Return the address that a host is a literal of, in any form that a C library accepts; None for a name.

    Also ``0x7f.1``, ``2130706433``, ``0177.0.0.1``, full-width digits and a last dot.
    """
    plain = unicodedata.normalize("NFKC", host).strip("[]").rstrip(".").lower().replace("\u3002", ".")
    try:
        return ipaddress.ip_address(plain.partition("%")[0])
    except ValueError:
        return _legacy_ipv4(plain)


def _legacy_ipv4(host: str) -> ipaddress.IPv4Address | None:
    parts = host.split(".")
    if len(parts) > _IPV4_PARTS_MAX or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        *heads, last = [_number(part) for part in parts]
        room = 256 ** (_IPV4_PARTS_MAX - len(heads))
        if last >= room or any(head > 0xFF for head in heads):  # noqa: PLR2004 - a byte
            return None
    except ValueError:
        return None
    front = sum(head << (8 * (3 - place)) for place, head in enumerate(heads))
    return ipaddress.IPv4Address(front + last)


def _number(text: str) -> int:
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if text.startswith("0") and len(text) > 1 else 10)


class Gate:
    """Decides about every outbound call; ``allow_private`` opens it to addresses that are not public."""

    def __init__(self, *, allow_private: bool = False) -> None:
        """Open to the public internet, or to all addresses (tests, feeds inside a company)."""
        self._allow_private = allow_private

    def check(self, url: str) -> str | None:
        """Return why a URL may not be asked, in one line that does not repeat it, or None if it may."""
        if (fault := _fault(url)) is not None:
            return fault
        address = literal(urlsplit(url).hostname or "")
        if address is not None and not self.allows(address):
            return f"address {address} is not public"
        return None

    def allows(self, address: IpAddress) -> bool:
        """Tell whether connections to an address are let out."""
        return self._allow_private or is_public(address)

    def connector(self) -> aiohttp.TCPConnector:
        """Return the connector that every outbound session must use.

        One request a connection and no remembered answers of DNS: every call passes the gate on its own.
        """
        return aiohttp.TCPConnector(
            limit=CONNECTIONS_MAX,
            force_close=True,
            use_dns_cache=False,
            resolver=_GatedResolver(self, aiohttp.ThreadedResolver()),
            socket_factory=self._socket,
        )

    def _socket(self, address_info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """Open the socket of one connection attempt, or refuse: the last wall."""
        family, kind, protocol, _, target = address_info
        address = literal(str(target[0]))
        if address is None or not self.allows(address):
            message = f"address {target[0]} is not public"
            raise RefusedAddress(message)
        return socket.socket(family, kind, protocol)


def _fault(url: str) -> str | None:
    """Return what is wrong with a URL whatever address it leads to."""
    if len(url) > URL_MAX:
        return f"URL of more than {URL_MAX} characters"
    if _NOT_IN_URL.search(url):
        return "space, backslash or control character in URL"
    try:
        parts = urlsplit(url)
        return _part_fault(parts, parts.port)
    except ValueError:
        return "not a URL"


def _part_fault(parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme not in SCHEMES:
        return f"scheme {parts.scheme[:20]!r} is not http or https"
    if not parts.hostname:
        return "no host in URL"
    if parts.username is not None or parts.password is not None:
        return "credentials in URL"
    if port is not None and not _port_allowed(port):
        return f"port {port} is not for HTTP"
    return None


def _port_allowed(port: int) -> bool:
    return port in PORTS_ALLOWED or (port >= PORT_UNPRIVILEGED and port not in PORTS_REFUSED)


class _GatedResolver(AbstractResolver):
    """Resolves names, and says which refused address a name stands for."""

    def __init__(self, gate: Gate, inner: AbstractResolver) -> None:
        self._gate = gate
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the allowed addresses of a name; RefusedAddress when it has only others."""
        found = await self._inner.resolve(host, port, family)
        allowed = [answer for answer in found if self._allowed(answer["host"])]
        if found and not allowed:
            message = f"{host} is {found[0]['host']}, which is not public"
            raise RefusedAddress(message)
        return allowed

    def _allowed(self, host: str) -> bool:
        address = literal(host)
        return address is not None and self._gate.allows(address)

    async def close(self) -> None:
        """Release the inner resolver."""
        await self._inner.close()
