"""FeedEvent: something an operator must know about a feed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.common import Id, Timestamp, Wire


class FeedEvent(Wire):
    """A feed changed its standing."""

    schema_: Literal["feed-event/1"] = Field("feed-event/1", alias="schema")
    id: Id
    feed_id: Id
    kind: Literal["degraded", "recovered", "silent", "gone", "moved", "blocked", "format"]
    since: Timestamp
    detail: str
