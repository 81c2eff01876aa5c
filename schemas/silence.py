"""Silence: what nobody is told for a while, by whose decision."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.common import Id, Timestamp, Wire


class Matcher(Wire):
    """One condition on an alert's field."""

    field: str
    op: Literal["=", "!=", "~"] = "="
    value: str


class Silence(Wire):
    """Deliveries that match are recorded and not sent while it lasts."""

    schema_: Literal["silence/1"] = Field("silence/1", alias="schema")
    id: Id
    matchers: tuple[Matcher, ...]
    starts_at: Timestamp
    ends_at: Timestamp
    author: str
    reason: str
    expired_at: Timestamp | None = None
