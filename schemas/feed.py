"""Feed: an address to poll, as imported."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.common import Id, Wire
from schemas.story import SourceKind, Trust


class Feed(Wire):
    """An address to poll. Never holds a secret, only its reference."""

    schema_: Literal["feed/1"] = Field("feed/1", alias="schema")
    id: Id
    """Of the URL as first imported; a move lives in FeedState."""
    url: str
    title: str
    language: str | None = None
    category: str | None = None
    country: str | None = None
    kind: Literal["feed"] = "feed"
    priority: Literal["normal", "breaking"] = "normal"
    interval: str | None = None
    """Wished interval (``30m``); absent: the poller's setting."""
    source_kind: SourceKind = "newspaper"
    label: str | None = None
    trust: Trust = "C"
    full_text: Literal["never", "candidates"] | None = None
    auth_ref: str | None = None
    """``env:NAME`` or ``file:PATH``."""
