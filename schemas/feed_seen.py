"""FeedSeen: which entries of a feed were published, moved only by a parsed change."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from schemas.common import Id, Timestamp, Wire

SeenEntry: TypeAlias = tuple[str, int, str, str, str]
"""(first 16 hex digits of the story id, revision, title hash, content hash, day last in the document)."""


class FeedSeen(Wire):
    """The seen-set of one feed, packed: a list of short tuples, newest last."""

    schema_: Literal["feed-seen/1"] = Field("feed-seen/1", alias="schema")
    id: Id
    first_good_at: Timestamp
    """The feed's first good poll: what it held then is backfill."""
    source_url: str
    """The address those entries came from: another one makes the next good poll a first one."""
    entries: tuple[SeenEntry, ...] = ()
    forgotten: Annotated[int, Field(ge=0)] = 0
