"""What the demo day is made of: outlets, their entries, their troubles, and the answers they give."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from schemas.story import SourceKind, Trust

DAY_START = datetime(2026, 5, 12, tzinfo=UTC)
"""Midnight of the invented day, a Tuesday."""
DAY_END = DAY_START + timedelta(days=1)

Format = Literal["rss", "atom", "rdf", "json"]
Validators = Literal["etag", "last-modified", "both", "none"]
Fault = Literal["timeout", "dns", "connect", "redirects"]
Effect = Literal[
    "status", "fault", "html", "empty", "oversized", "truncate", "malformed", "silent", "not-modified"
]


class DayError(Exception):
    """The source texts of the day cannot be used; one line a problem, each with its file and entry."""


@dataclass(frozen=True, slots=True)
class Revision:
    """What an outlet changed in an entry, and when; None leaves a field as it was."""

    at: datetime
    title: str | None = None
    summary: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class DemoItem:
    """One entry of one outlet as its writer set it down."""

    id: str
    feed: str
    """Slug of the outlet."""
    at: datetime
    """When the entry appears in the document."""
    published: datetime
    """What the document says about it; earlier than ``at`` when the outlet is late."""
    link: str
    guid: str
    title: str
    summary: str
    text: str = ""
    author: str = ""
    credit: str = ""
    """Agency line, printed word for word after the text."""
    revisions: tuple[Revision, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """An item as it stands in the document at one moment."""

    guid: str
    link: str
    title: str
    summary: str
    text: str
    author: str
    credit: str
    published: datetime
    updated: datetime


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Something an outlet's server or document does between two moments (``until`` is outside)."""

    effect: Effect
    since: datetime
    until: datetime
    status: int = 200
    retry_after_s: int | None = None
    fault: Fault | None = None

    def holds(self, now: datetime) -> bool:
        """Return whether it is in force at ``now``."""
        return self.since <= now < self.until


@dataclass(frozen=True, slots=True)
class DemoFeed:
    """One outlet's feed: who publishes it, how its document looks and how its server behaves."""

    slug: str
    title: str
    url: str
    site: str
    format: Format
    language: str
    country: str
    kind: SourceKind
    trust: Trust
    label: str | None = None
    category: str | None = None
    interval: str | None = None
    priority: Literal["normal", "breaking"] = "normal"
    full_text: Literal["never", "candidates"] | None = None
    description: str = ""
    encoding: str = "utf-8"
    items_shown: int = 25
    gzip: bool = False
    validators: Validators = "both"
    max_age_s: int | None = None
    ttl_minutes: int | None = None
    update_period: str | None = None
    behaviour: tuple[Behaviour, ...] = ()

    def during(self, effect: Effect, now: datetime) -> Behaviour | None:
        """Return the behaviour of this kind that is in force at ``now``."""
        return next((b for b in self.behaviour if b.effect == effect and b.holds(now)), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request gets: a response, or a named fault and nothing else."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    fault: Fault | None = None
