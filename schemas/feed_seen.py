"""FeedSeen: which entries of a feed were published, moved only by a parsed change."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from schemas.common import Id, Timestamp, Wire

SeenEntry: TypeAlias = tuple[Id, int, str, str, str, int, str]
"""(story id, revision, headline hash, content hash, address hash, first seen as Unix milliseconds, day it left).

The headline hash covers the title and the numbers in title and summary; the address hash link and title, "" where
they do not tell items apart. Hashes are 12 hex digits: they are compared within one feed. The last is "" while the
entry is in the last good document: such an entry is never forgotten."""


class FeedSeen(Wire):
    """The seen-set of one feed, packed: a list of short tuples, newest last."""

    schema_: Literal["feed-seen/1"] = Field("feed-seen/1", alias="schema")
    id: Id
    first_good_at: Timestamp | None = None
    """The feed's first good poll: what it held then is backfill. Absent while all its documents ended early."""
    source_url: str
    """The address those entries came from: another one makes the next good poll a first one."""
    entries: tuple[SeenEntry, ...] = ()
    forgotten: Annotated[int, Field(ge=0)] = 0
