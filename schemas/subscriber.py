"""Subscriber: who is told, through which channel, of what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.common import Severity, Wire

SubscriberId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Match(Wire):
    """Which alerts are wanted; an empty list wants all."""

    severity_min: Severity = 3
    tiers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    claim_types: tuple[str, ...] = ()
    directions: tuple[str, ...] = ()
    materiel: tuple[str, ...] = ()
    claimants: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


class Subscriber(Wire):
    """One channel of one reader. Never holds a secret, only where to find it."""

    schema_: Literal["subscriber/1"] = Field("subscriber/1", alias="schema")
    id: SubscriberId
    channel: str
    """URL: ``console:``, ``https://…``; ``{secret}`` in it is filled from ``secret_ref`` at call time."""
    match: Match = Match()
    group_wait: str | None = None
    group_interval: str | None = None
    repeat_interval: str | None = None
    digest: str | None = None
    quiet_hours: str | None = None
    secret_ref: str | None = None
    """``env:NAME`` or ``file:PATH``."""
    enabled: bool = True
