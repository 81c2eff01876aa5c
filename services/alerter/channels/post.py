"""The sender of webhook requests: aiohttp behind the gate of every outbound call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import aiohttp

import services
from services.alerter.channels.webhook import PostFailed, PostResult
from services.net.gate import RefusedAddress

if TYPE_CHECKING:
    from services.net.gate import Gate

TIMEOUT_S = 5.0
"""For a whole request: a receiver is to take the alert, not to work on it meanwhile."""
HEADER_BYTES_MAX = 16 * 1024
"""One header line of an answer, of which we read the status and Retry-After."""


class AiohttpPoster:
    """Posts to public addresses (or any, if the gate says so); reads no body and follows no redirect."""

    def __init__(self, gate: Gate, *, timeout_s: float = TIMEOUT_S) -> None:
        """Take the gate; the session is opened with the first request."""
        self._gate = gate
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> PostResult | PostFailed:
        """Return the answer; reasons are ours, since a library's may repeat the URL and the secret in it."""
        if (fault := self._gate.check(url)) is not None:
            return PostFailed(fault, may_retry=False)
        try:
            async with self._opened().post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return PostResult(
                    answer.status, {name.lower(): value for name, value in answer.headers.items()}
                )
        except TimeoutError:
            return PostFailed("timed out")
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            return PostFailed("not a URL", may_retry=False)
        except (aiohttp.ClientError, OSError) as error:
            return _failure(error)

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=self._gate.connector(),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                max_line_size=HEADER_BYTES_MAX,
                max_field_size=HEADER_BYTES_MAX,
                headers={"user-agent": f"tumen/{services.__version__}"},
            )
        return self._session


def _failure(error: Exception) -> PostFailed:
    """Return why there was no answer; a refused address will be refused again."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, RefusedAddress):
            return PostFailed("the address is not public", may_retry=False)
        cause = cause.__cause__
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return PostFailed("the certificate is not trusted")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return PostFailed("the name cannot be resolved")
    if isinstance(error, (aiohttp.ClientConnectorError, ConnectionError)):
        return PostFailed("cannot connect")
    return PostFailed(f"no answer ({type(error).__name__})")
