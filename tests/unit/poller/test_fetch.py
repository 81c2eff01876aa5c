"""Fetching, against a real server on loopback: limits, redirects, encodings, and what is never sent."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.net.gate import Gate
from services.poller.fetch import AiohttpFetcher, failure_of
from services.poller.model import Failure, PollerSettings, Request, Response

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BODY = b"<rss>" + b"news " * 1000 + b"</rss>"
SETTINGS = PollerSettings(timeout_total=timedelta(seconds=5), body_max=100_000)


class Site:
    """A server whose every path is answered by one handler; it remembers requests."""

    def __init__(self) -> None:
        """Begin with an empty 200."""
        self.asked: list[web.Request] = []
        self.handler: Handler = answering()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self.server = TestServer(app)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return await self.handler(request)

    def url(self, path: str = "/feed") -> str:
        """Return an address of the site."""
        return f"http://127.0.0.1:{self.server.port}{path}"


def answering(body: bytes = b"", status: int = 200, **headers: str) -> Handler:
    """Return a handler with a fixed answer."""

    async def handle(request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers=named)

    return handle


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """Run the site."""
    site = Site()
    await site.server.start_server()
    yield site
    await site.server.close()


@pytest.fixture
async def fetcher() -> AsyncIterator[AiohttpFetcher]:
    """Return a fetcher that may reach loopback."""
    fetcher = AiohttpFetcher(Gate(allow_private=True), SETTINGS)
    yield fetcher
    await fetcher.close()


async def test_an_answer_comes_with_its_headers_and_body(site: Site, fetcher: AiohttpFetcher) -> None:
    """The ETag is as the server wrote it."""
    site.handler = answering(BODY, ETag='W/"a b"', Last_Modified="bogus")
    answer = await fetcher.fetch(Request(site.url("/feed?b=2&a=%7E#part")))
    assert isinstance(answer, Response)
    assert (answer.status, answer.body, answer.header("etag")) == (200, BODY, 'W/"a b"')
    assert site.asked[0].raw_path == "/feed?b=2&a=%7E"


async def test_requests_name_us_and_give_nothing_away(site: Site, fetcher: AiohttpFetcher) -> None:
    """A named agent with a contact; no cookies, no referrer, also after a cookie was offered."""
    site.handler = answering(b"", Set_Cookie="id=1; Path=/")
    for _ in range(2):
        await fetcher.fetch(Request(site.url(), (("If-None-Match", '"x"'), ("Accept", "text/xml"))))
    headers = site.asked[1].headers
    assert headers["User-Agent"] == SETTINGS.user_agent
    assert headers["Accept-Encoding"] == "gzip, deflate"
    assert headers["If-None-Match"] == '"x"'
    assert not {"Cookie", "Referer", "Authorization"} & set(headers)


@pytest.mark.parametrize(
    ("encoded", "name"),
    [
        (gzip.compress(BODY), "gzip"),
        (gzip.compress(BODY[:50]) + gzip.compress(BODY[50:]) + b"\0\0", "x-gzip"),
        (zlib.compress(BODY), "deflate"),
        (zlib.compress(BODY)[2:-4], "deflate"),
        (BODY, "gzip"),
        (BODY, "identity"),
    ],
    ids=["gzip", "members", "zlib", "raw deflate", "not gzip", "identity"],
)
async def test_bodies_are_decoded_once(
    site: Site, fetcher: AiohttpFetcher, encoded: bytes, name: str
) -> None:
    """Several gzip members, raw deflate, and servers that name an encoding they did not apply."""
    site.handler = answering(encoded, Content_Encoding=name)
    answer = await fetcher.fetch(Request(site.url()))
    assert isinstance(answer, Response)
    assert answer.body == BODY


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"x" * 200_000, "identity"), (gzip.compress(b"\0" * 50_000_000), "gzip")],
    ids=["as it is", "packed"],
)
async def test_a_body_over_its_cap_is_an_error(
    site: Site, fetcher: AiohttpFetcher, body: bytes, encoding: str
) -> None:
    """The cap counts decoded bytes while they stream; a prefix is never used."""
    site.handler = answering(body, Content_Encoding=encoding)
    answer = await fetcher.fetch(Request(site.url()))
    assert isinstance(answer, Failure)
    assert answer.kind == "too_large"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(gzip.compress(BODY)[:-20], "gzip"), (gzip.compress(BODY)[:30] + b"junk" * 30, "gzip"), (BODY, "br")],
    ids=["cut", "junk", "unknown"],
)
async def test_a_body_that_does_not_decode_is_an_error(
    site: Site, fetcher: AiohttpFetcher, body: bytes, encoding: str
) -> None:
    """Cut, damaged, or in an encoding that was not asked for."""
    site.handler = answering(body, Content_Encoding=encoding)
    answer = await fetcher.fetch(Request(site.url()))
    assert isinstance(answer, Failure)
    assert answer.kind == "protocol"


async def test_redirects_are_followed_and_remembered(site: Site, fetcher: AiohttpFetcher) -> None:
    """The final address and each hop with its status are known."""

    async def handle(request: web.Request) -> web.Response:
        hops = {"/feed": (301, "/b#x"), "/b": (302, site.url("/c"))}
        if request.path in hops:
            status, target = hops[request.path]
            return web.Response(status=status, headers={"Location": target})
        return web.Response(body=BODY)

    site.handler = handle
    answer = await fetcher.fetch(Request(site.url()))
    assert isinstance(answer, Response)
    assert answer.url == site.url("/c")
    assert answer.redirects == ((301, site.url("/b")), (302, site.url("/c")))


@pytest.mark.parametrize(
    ("target", "kind", "word"),
    [
        ("/feed", "redirects", "loop"),
        ("file:///etc/passwd", "redirects", "target"),
        ("", "redirects", "loop"),
        ("http://a.example:25/", "refused_address", "port"),
        ("http://user:pw@a.example/", "refused_address", "credentials"),
    ],
)
async def test_redirects_to_nowhere_are_refused(
    site: Site, fetcher: AiohttpFetcher, target: str, kind: str, word: str
) -> None:
    """Every hop passes the gate; loops and other schemes end at once."""
    site.handler = answering(status=302, Location=target)
    answer = await fetcher.fetch(Request(site.url()))
    assert isinstance(answer, Failure)
    assert answer.kind == kind
    assert word in answer.detail


async def test_redirects_end_after_five(site: Site, fetcher: AiohttpFetcher) -> None:
    """Each hop is a request, and there are six."""

    async def handle(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": f"/{len(site.asked)}"})

    site.handler = handle
    answer = await fetcher.fetch(Request(site.url()))
    assert isinstance(answer, Failure)
    assert answer.kind == "redirects"
    assert len(site.asked) == 6


async def test_a_redirect_inside_is_refused_by_a_closed_gate(site: Site) -> None:
    """A public page that leads to a private address: the hop is judged like a first request."""
    fetcher = AiohttpFetcher(Gate(), SETTINGS)
    answer = await fetcher.fetch(Request(site.url()))
    by_name = await fetcher.fetch(Request(f"http://localhost:{site.server.port}/"))
    await fetcher.close()
    assert isinstance(answer, Failure)
    assert isinstance(by_name, Failure)
    assert {answer.kind, by_name.kind} == {"refused_address"}
    assert site.asked == []


async def test_a_server_that_trickles_ends_on_time(site: Site) -> None:
    """The deadline is for the whole fetch, not for each read."""

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.05)
        return response

    site.handler = trickle
    fetcher = AiohttpFetcher(Gate(allow_private=True), PollerSettings(timeout_total=timedelta(seconds=0.3)))
    answer = await fetcher.fetch(Request(site.url()))
    await fetcher.close()
    assert answer == Failure("timeout", "no complete answer within 0.3 s")


async def test_a_dropped_connection_is_not_asked_again() -> None:
    """Aiohttp repeats such requests silently; a poller must not ask twice."""
    asked = 0

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readline()
        asked += 1
        writer.close()

    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    fetcher = AiohttpFetcher(Gate(allow_private=True), SETTINGS)
    answer = await fetcher.fetch(Request(f"http://127.0.0.1:{port}/"))
    await fetcher.close()
    server.close()
    assert isinstance(answer, Failure)
    assert answer.kind in {"protocol", "connect"}
    assert asked == 1


async def test_failures_have_names(site: Site, fetcher: AiohttpFetcher, unused_tcp_port: int) -> None:
    """Nobody listens; plain HTTP where TLS was asked; neither of them; each in one line."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"no HTTP\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    kinds = []
    for url in (
        f"http://127.0.0.1:{unused_tcp_port}/",
        site.url().replace("http:", "https:"),
        f"http://127.0.0.1:{port}/",
    ):
        answer = await fetcher.fetch(Request(url))
        assert isinstance(answer, Failure)
        assert "\n" not in answer.detail
        kinds.append(answer.kind)
    server.close()
    assert kinds == ["connect", "tls", "protocol"]
    assert failure_of(ValueError("x\ny"), 1) == Failure("protocol", "x y")


@pytest.mark.parametrize("status", [304, 404, 410, 429, 500, 503])
async def test_a_status_without_a_document_has_no_body(
    site: Site, fetcher: AiohttpFetcher, status: int
) -> None:
    """Error pages are not read at all."""
    site.handler = answering(b"" if status == 304 else b"x" * 200_000, status=status, Retry_After="7")
    answer = await fetcher.fetch(Request(site.url()))
    assert isinstance(answer, Response)
    assert (answer.status, answer.body, answer.header("retry-after")) == (status, b"", "7")
