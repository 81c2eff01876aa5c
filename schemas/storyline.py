"""Storyline: what forty reprints fold into."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.claim import Claim
from schemas.common import Id, Severity, Timestamp, Wire
from schemas.verdict import MONITOR, Tier

MEMBERS_LATEST_MAX = 20


class Counts(Wire):
    """How broad a storyline is. Bases = distinct root claimants with knowledge of their own: shown first."""

    bases: int = 0
    origins: int = 0
    independent: int = 0
    copies: int = 0
    outlets: int = 0
    languages: int = 0


class MemberBrief(Wire):
    """A member as a reader of the storyline wants it."""

    story_id: Id
    source: str
    label: str | None = None
    language: str | None = None
    title: str
    url: str
    first_seen: Timestamp


class Storyline(Wire):
    """One event as the press tells it."""

    schema_: Literal["storyline/1"] = Field("storyline/1", alias="schema")
    id: Id
    monitor: str = MONITOR
    state: Literal["open", "quiet", "retracted", "merged"]
    merged_into: Id | None = None
    opened_at: Timestamp
    updated_at: Timestamp
    headline: str
    tier: Tier
    severity: Severity
    counts: Counts
    languages: tuple[str, ...] = ()
    members_latest: tuple[MemberBrief, ...] = ()
    claims: tuple[Claim, ...] = ()
    revision: int
