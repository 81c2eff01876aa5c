"""FeedState: validators and schedule, moved by every response (< 1 KB)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.common import Id, Timestamp, Wire

FeedStatus = Literal["ok", "degraded", "silent", "gone", "moved", "blocked", "format"]


class FeedState(Wire):
    """Where a feed's polling stands. Moves on every response; content moves in FeedSeen."""

    schema_: Literal["feed-state/1"] = Field("feed-state/1", alias="schema")
    id: Id
    url: str | None = None
    """The address asked next, where it is not the imported one."""
    etag: Annotated[str, Field(max_length=256)] | None = None
    """As received, byte for byte."""
    last_modified: Annotated[str, Field(max_length=128)] | None = None
    body_sha256: str | None = None
    """Of the last good document: an unchanged body is not parsed again."""
    polled_at: Timestamp
    ok_at: Timestamp | None = None
    changed_at: Timestamp | None = None
    due_at: Timestamp
    reason: str
    """Which term of the schedule won."""
    failures: Annotated[int, Field(ge=0)] = 0
    status: FeedStatus = "ok"
    since: Timestamp | None = None
    http_status: int | None = None
    error: Annotated[str, Field(max_length=200)] | None = None
