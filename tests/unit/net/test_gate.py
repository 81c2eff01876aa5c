"""The gate of every outbound call: URLs, literals in all encodings, names, and the very connection."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.net.gate import Gate, RefusedAddress, _GatedResolver, is_public, literal

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult

PRIVATE_URLS = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
    "http://127.0.0.1./",
    "http://10.1.2.3/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest",
    "http://192.168.1.1/",
    "http://0/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
]


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_literals_of_private_addresses_are_refused_in_every_spelling(url: str) -> None:
    """Aiohttp asks no resolver for literals, so the URL itself is judged."""
    assert "not public" in (Gate().check(url) or "")
    assert Gate(allow_private=True).check(url) is None


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("ftp://a.example/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://a.example", "scheme"),
        ("http://", "host"),
        ("http://user:pw@a.example/", "credentials"),
        ("http://user@a.example/", "credentials"),
        ("http://a.example:25/", "port"),
        ("http://a.example:6000/", "port"),
        ("http://a.example:99999/", "not a URL"),
        ("http://a.example\\@127.0.0.1/", "backslash"),
        ("http://a.example/a b", "space"),
        ("http://a.example/\r\nX-Header: 1", "control"),
        ("http://[bad/", "not a URL"),
        ("http://a.example/" + "x" * 5000, "characters"),
    ],
)
def test_urls_that_nobody_should_call_are_refused_by_name(url: str, word: str) -> None:
    """The reason is one line and does not repeat the URL, which may hold a secret."""
    reason = Gate(allow_private=True).check(url)
    assert reason is not None
    assert word in reason
    assert "pw" not in reason


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/feed?x=1",
        "https://a.example:8443/",
        "http://8.8.8.8/",
        "http://[2606:4700::1111]/",
        "http://1.2.3.4.5/",
        "http://0xg/",
    ],
)
def test_public_addresses_and_names_pass(url: str) -> None:
    """Names are judged when they are resolved."""
    assert Gate().check(url) is None


def test_a_literal_is_what_a_c_library_makes_of_it() -> None:
    """Octal, hexadecimal, short forms and zones."""
    assert literal("0177.1") == ipaddress.ip_address("127.0.0.1")
    assert literal("1.2.65535") == ipaddress.ip_address("1.2.255.255")
    assert literal("[fe80::1%eth0]") == ipaddress.ip_address("fe80::1")
    assert literal("256.1.1.1") is None
    assert literal("08.1.1.1") is None
    assert literal("news.example") is None


def test_nat64_of_a_public_address_is_public() -> None:
    """An IPv6-only machine reaches IPv4 outlets that way."""
    assert is_public(ipaddress.ip_address("64:ff9b::808:808"))
    assert is_public(ipaddress.ip_address("::ffff:8.8.8.8"))


@pytest.fixture
async def server() -> TestServer:
    """Return a server on loopback that must not be reached."""

    async def inside(request: web.Request) -> web.Response:
        return web.Response(text="inside")

    app = web.Application()
    app.router.add_get("/", inside)
    server = TestServer(app)
    await server.start_server()
    return server


async def test_a_literal_that_slips_past_the_check_is_stopped_at_the_socket(server: TestServer) -> None:
    """The last wall looks at the address that is about to be connected to."""
    async with aiohttp.ClientSession(connector=Gate().connector()) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.get(f"http://127.0.0.1:{server.port}/")
    assert isinstance(caught.value.os_error, RefusedAddress)
    await server.close()


async def test_a_name_that_leads_inside_is_refused(server: TestServer) -> None:
    """``localhost`` stands for any name of a private address."""
    async with aiohttp.ClientSession(connector=Gate().connector()) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.get(f"http://localhost:{server.port}/")
    assert isinstance(caught.value.os_error, RefusedAddress)
    async with (
        aiohttp.ClientSession(connector=Gate(allow_private=True).connector()) as session,
        session.get(f"http://localhost:{server.port}/") as answer,
    ):
        assert await answer.text() == "inside"
    await server.close()


class _Answers:
    """A resolver with a fixed answer."""

    def __init__(self, *hosts: str) -> None:
        self._hosts = hosts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the fixed answer."""
        return [
            {"hostname": host, "host": one, "port": port, "family": family, "proto": 0, "flags": 0}
            for one in self._hosts
        ]

    async def close(self) -> None:
        """Hold nothing."""


async def test_only_the_allowed_addresses_of_a_name_are_used() -> None:
    """A rebinding answer mixes a public address with a private one."""
    gated = _GatedResolver(Gate(), _Answers("10.0.0.1", "8.8.8.8", "::1"))  # type: ignore[arg-type]
    assert [found["host"] for found in await gated.resolve("a.example", 80)] == ["8.8.8.8"]
    await gated.close()
