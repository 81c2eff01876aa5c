"""Fetches one document: behind the gate, within bytes, seconds and hops, and never twice for one request."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urldefrag

import aiohttp
from yarl import URL

from services.net.gate import RefusedAddress
from services.poller.model import Failure, Request, Response
from services.text.urls import absolute

if TYPE_CHECKING:
    from services.net.gate import Gate
    from services.poller.model import Headers, PollerSettings, Redirects

__all__ = ["AiohttpFetcher", "Failure", "Fetcher", "Request", "Response"]

REDIRECTS_MAX = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
HEADER_BYTES_MAX = 16 * 1024
"""One header line; twice aiohttp's default, because some outlets send very long policies."""
CHUNK_BYTES = 64 * 1024
DETAIL_MAX = 160
ENCODINGS = "gzip, deflate"
_OK = 200
_GZIP_OR_ZLIB = 47
_GZIP_MAGIC = b"\x1f\x8b"


class Fetcher(Protocol):
    """Answers requests: the network, a tape, or a script."""

    async def fetch(self, request: Request) -> Response | Failure:
        """Return the answer or the named failure; never raises for what a server does."""

    async def close(self) -> None:
        """Release connections."""


class _TooLargeError(Exception):
    """The decoded body is over its cap."""


class _BrokenBodyError(Exception):
    """The body does not decode, or ends early."""


class AiohttpFetcher:
    """Fetches over the network. No cookies, no referrer, no proxies, no silent retries."""

    def __init__(self, gate: Gate, settings: PollerSettings) -> None:
        """Take the gate and the limits; the session opens with the first request."""
        self._gate = gate
        self._timeout_s = settings.timeout_total.total_seconds()
        self._body_max = settings.body_max
        self._user_agent = settings.user_agent
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, request: Request) -> Response | Failure:
        """Ask, follow redirects by hand, and read the body, all within one deadline."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._follow(request)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            return failure_of(error, self._timeout_s)
        except _TooLargeError:
            return Failure("too_large", f"more than {self._body_max} bytes decoded")
        except _BrokenBodyError as error:
            return Failure("protocol", str(error))

    async def close(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _follow(self, request: Request) -> Response | Failure:
        url, hops = urldefrag(request.url).url, list[tuple[int, str]]()
        while True:
            if (refusal := self._gate.check(url)) is not None:
                return Failure("refused_address", refusal)
            answer = await self._ask(url, request.headers, tuple(hops))
            if answer.status not in REDIRECTS:
                return answer
            target = absolute(url, answer.header("location") or "")
            if (fault := _hop_fault(url, target, hops)) is not None:
                return Failure("redirects", fault)
            url = urldefrag(target or "").url
            hops.append((answer.status, url))

    async def _ask(self, url: str, headers: Headers, hops: Redirects) -> Response:
        async with self._opened().get(
            _as_written(url), headers=dict(headers), allow_redirects=False
        ) as answer:
            received = tuple((name.decode("latin-1"), text.decode("latin-1")) for name, text in answer.raw_headers)
            body = await self._body(answer) if answer.status == _OK else b""
            return Response(url, answer.status, received, body, hops)

    async def _body(self, answer: aiohttp.ClientResponse) -> bytes:
        decode = _decoder(answer.headers.get("Content-Encoding", ""), self._body_max)
        parts, size = list[bytes](), 0
        async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
            for part in decode(chunk, last=False):
                size += len(part)
                if size > self._body_max:
                    raise _TooLargeError
                parts.append(part)
        parts.extend(decode(b"", last=True))
        return b"".join(parts)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._gate.connector(),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._user_agent, "Accept-Encoding": ENCODINGS},
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
                max_line_size=HEADER_BYTES_MAX,
                max_field_size=HEADER_BYTES_MAX,
            )
            # A server that drops a connection would otherwise be asked again at once, unseen.
            self._session._retry_connection = False  # noqa: SLF001 - aiohttp has no public switch for it
        return self._session
