"""Ways to reach people: one file each, one protocol, and whether a failure may be tried again said where it occurs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from schemas import Alert, Delivery, Subscriber


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""

    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """It did not get there, and may later. ``after``: what the receiver asked for."""

    reason: str
    after: timedelta | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """It will not get there by trying again: somebody must change something."""

    reason: str
    http_status: int | None = None


Outcome: TypeAlias = Delivered | Retry | Refused


class Channel(Protocol):
    """One way to reach a subscriber. Reasons never hold a secret or a URL."""

    async def deliver(
        self, alert: Alert, delivery: Delivery, subscriber: Subscriber, now: datetime
    ) -> Outcome:
        """Hand the alert over, once."""


Channels: TypeAlias = Mapping[str, Channel]
"""By URL scheme."""


def scheme(channel: str) -> str:
    """Return the scheme of a subscriber's channel URL."""
    return channel.partition(":")[0].lower()
