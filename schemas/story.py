"""Story: one entry of one feed, as one poll saw it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.common import Id, Timestamp, Wire

TITLE_MAX = 1_000
TEXT_MAX = 200_000

SourceKind = Literal[
    "official", "agency", "newspaper", "broadcaster", "ngo", "think_tank", "specialist", "aggregator"
]
Trust = Literal["A", "B", "C", "D", "E", "F"]
Change = Literal["new", "minor", "major", "text", "gone"]
Arrival = Literal["live", "backfill", "late"]


class Source(Wire):
    """Who published it, in the words of the feed list."""

    name: str
    domain: str
    """Registered domain of the feed's URL."""
    country: str | None = None
    kind: SourceKind
    label: str | None = None
    """What a reader must know: ``state media RU``, ``belligerent UA`` …"""
    trust: Trust = "C"


class StoryHead(Wire):
    """A story without its summary and text: what may be kept for longer than 14 days."""

    schema_: Literal["story/1"] = Field("story/1", alias="schema")
    id: Id
    """Of (feed_id, entry identity): a re-poll, a replay or a retry gives the same id."""
    revision: Annotated[int, Field(ge=1)]
    change: Change
    arrival: Arrival
    feed_id: Id
    source: Source
    guid: str
    url: str
    canonical_url: str
    final_url: str | None = None
    title: Annotated[str, Field(max_length=TITLE_MAX)]
    language: str | None = None
    """As declared by the feed: a hint, never the truth."""
    authors: tuple[str, ...] = ()
    published: Timestamp | None = None
    published_raw: str | None = None
    first_seen: Timestamp
    fetched_at: Timestamp
    content_hash: str
    """SHA-256 over title, summary and text of this revision."""
    body_sha256: str
    """SHA-256 of the response body this revision was read from."""
    truncated: tuple[str, ...] = ()
    """Names of the fields that were cut to their cap."""


class Story(StoryHead):
    """One entry of one feed, as one poll saw it."""

    summary: Annotated[str, Field(max_length=TEXT_MAX)] = ""
    text: Annotated[str, Field(max_length=TEXT_MAX)] | None = None

    def head(self) -> StoryHead:
        """Return this story without its summary and text."""
        return StoryHead.model_construct(**{name: getattr(self, name) for name in StoryHead.model_fields})
