"""What the poller's decisions pass around: requests and answers, outcomes, documents, settings. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

Headers: TypeAlias = tuple[tuple[str, str], ...]
Redirects: TypeAlias = tuple[tuple[int, str], ...]

FailureKind = Literal[
    "timeout", "dns", "connect", "tls", "too_large", "redirects", "refused_address", "protocol"
]
Format = Literal["rss", "rdf", "atom", "json", "opml", "html", "unknown"]

FORMATS_READ: frozenset[Format] = frozenset({"rss", "rdf", "atom", "json"})
"""Formats that hold entries."""
START_SPREAD = timedelta(minutes=5)
"""What is overdue when a live poller starts is asked within this time, each feed at its own stable offset."""
EMPTY_BODY = "the body is empty"


@dataclass(frozen=True, slots=True)
class PollerSettings:
    """How often, how much, how long: ``[poller]`` of the settings."""

    interval: timedelta = timedelta(minutes=60)
    interval_min: timedelta = timedelta(minutes=15)
    interval_max: timedelta = timedelta(hours=24)
    interval_unconditional: timedelta = timedelta(hours=6)
    breaking_interval: timedelta = timedelta(minutes=5)
    host_concurrency: int = 1
    host_spacing: timedelta = timedelta(seconds=1)
    timeout_total: timedelta = timedelta(seconds=30)
    body_max: int = 8 * 1024 * 1024
    parse_workers: int = 1
    user_agent: str = "tumen/0.1 (+https://tumen.example/bot)"


@dataclass(frozen=True, slots=True)
class Request:
    """One GET."""

    url: str
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answered in the end; ``redirects`` are the (status, target) hops before it."""

    url: str
    status: int
    headers: Headers = ()
    body: bytes = b""
    """Decoded and within its cap; empty unless the status is 200."""
    redirects: Redirects = ()

    def header(self, name: str) -> str | None:
        """Return the first value of a header, as received."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer, or none that may be used."""

    kind: FailureKind
    detail: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a document, as plain text."""

    guid: str = ""
    url: str = ""
    """Absolute http(s), or empty."""
    title: str = ""
    summary: str = ""
    text: str | None = None
    published: datetime | None = None
    published_raw: str | None = None
    authors: tuple[str, ...] = ()
    language: str | None = None
    truncated: tuple[str, ...] = ()
    """Names of the fields that were cut to their cap."""


@dataclass(frozen=True, slots=True)
class Document:
    """A feed document, read."""

    format: Format
    title: str = ""
    language: str | None = None
    entries: tuple[Entry, ...] = ()
    over_limit: int = 0
    """Entries that one poll may not publish: counted, not marked seen."""
    complete: bool = True
    """False: the document ends before its last element does."""
    asks: timedelta | None = None
    """The longest wait the document asks for (``ttl``, ``sy:updatePeriod``)."""
    warnings: tuple[str, ...] = ()
    error: str | None = None
    """Why it could not be read at all, in one line."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """200 with a body; ``document`` is None when the body is the one read last time."""

    response: Response
    body_sha256: str
    document: Document | None


@dataclass(frozen=True, slots=True)
class NotModified:
    """304 to a conditional request."""

    response: Response


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Nothing to read: no answer (``response`` None), a status that is an error, or a body that is no feed."""

    kind: FailureKind | Literal["http_error", "unreadable"]
    detail: str
    response: Response | None = None

    @property
    def status(self) -> int | None:
        """The HTTP status, if there was an answer."""
        return None if self.response is None else self.response.status


Outcome: TypeAlias = Fetched | NotModified | FetchFailed
