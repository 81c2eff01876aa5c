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
    from services.poller.model import FailureKind, Headers, PollerSettings, Redirects

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
            received = tuple(
                (name.decode("latin-1"), text.decode("latin-1")) for name, text in answer.raw_headers
            )
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


def _as_written(url: str) -> URL:
    """Return the URL without re-quoting what its publisher wrote, unless it is not ASCII."""
    return URL(url, encoded=url.isascii())


def _hop_fault(url: str, target: str | None, hops: list[tuple[int, str]]) -> str | None:
    """Return why a redirect is not followed, or None."""
    if target is None:
        return "redirect without a usable http(s) target"
    if len(hops) >= REDIRECTS_MAX:
        return f"more than {REDIRECTS_MAX} redirects"
    if url.startswith("https:") and not target.lower().startswith("https:"):
        return "redirect from https to http"
    if target in {url, *(seen for _, seen in hops)}:
        return "redirect loop"
    return None


class _Decoder(Protocol):
    def __call__(self, chunk: bytes, *, last: bool) -> list[bytes]: ...


def _decoder(encoding: str, body_max: int) -> _Decoder:
    """Return what turns chunks of the wire into chunks of the document, never more at once than the cap."""
    name = encoding.strip().lower()
    if name in {"", "identity", "none"}:
        return _identity
    if name in {"gzip", "x-gzip", "deflate"}:
        return _Inflater(body_max)
    message = f"content-encoding {name[:40]!r} was not asked for"
    raise _BrokenBodyError(message)


def _identity(chunk: bytes, *, last: bool) -> list[bytes]:
    return [] if last else [chunk]


class _Inflater:
    """gzip and deflate while streaming: several members, raw deflate, and bodies that are not compressed at all."""

    def __init__(self, body_max: int) -> None:
        self._body_max = body_max
        self._zlib: zlib._Decompress | None = None
        self._plain = False
        self._fresh = True

    def __call__(self, chunk: bytes, *, last: bool) -> list[bytes]:
        if last:
            if self._zlib is not None and not self._zlib.eof:
                raise _BrokenBodyError("the compressed body ends early")
            return []
        if self._fresh:
            self._begin(chunk)
        if self._plain:
            return [chunk]
        try:
            return self._inflate(chunk)
        except zlib.error as error:
            message = f"the compressed body does not decode: {error}"
            raise _BrokenBodyError(message) from error

    def _begin(self, chunk: bytes) -> None:
        """Look at the first bytes: some servers name an encoding that they did not apply."""
        self._fresh = False
        self._plain = chunk.lstrip()[:1] in {b"<", b"{"}
        if not self._plain:
            raw = chunk[:2] != _GZIP_MAGIC and not _is_zlib(chunk)
            self._zlib = zlib.decompressobj(-zlib.MAX_WBITS if raw else _GZIP_OR_ZLIB)

    def _inflate(self, chunk: bytes) -> list[bytes]:
        parts, size = list[bytes](), 0
        while chunk and self._zlib is not None:
            if self._zlib.eof:
                if chunk[:2] != _GZIP_MAGIC:
                    break  # padding after the last member
                self._zlib = zlib.decompressobj(_GZIP_OR_ZLIB)
            part = self._zlib.decompress(chunk, CHUNK_BYTES)
            size += len(part)
            if size > self._body_max:
                raise _TooLargeError
            parts.append(part)
            chunk = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail
        return parts


def _is_zlib(chunk: bytes) -> bool:
    """Tell whether bytes begin as RFC 1950 has it: method 8 and a header divisible by 31."""
    return len(chunk) > 1 and chunk[0] & 0x0F == 8 and int.from_bytes(chunk[:2], "big") % 31 == 0  # noqa: PLR2004


def failure_of(error: Exception, timeout_s: float) -> Failure:
    """Name a transport error; the detail is one line."""
    if isinstance(error, TimeoutError):
        return Failure("timeout", f"no complete answer within {timeout_s:g} s")
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    detail = " ".join(str(cause).split())[:DETAIL_MAX] or type(cause).__name__
    return Failure(_kind(error, cause), detail)


def _kind(error: Exception, cause: Exception) -> FailureKind:
    if isinstance(cause, RefusedAddress):
        return "refused_address"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return "tls"
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientOSError):
        return "connect"
    return "protocol"
