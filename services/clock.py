"""The one reader of the clock, and the clock that a driver moves by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; aware, UTC."""

    def now(self) -> datetime:
        """Return this moment."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return this moment, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one file


class VirtualClock:
    """A clock that stands still until it is moved; it never goes back."""

    def __init__(self, start: datetime) -> None:
        """Start at this moment."""
        self._now = start

    def now(self) -> datetime:
        """Return the moment last moved to."""
        return self._now

    def advance(self, to: datetime) -> None:
        """Move forward to this moment; an earlier one is ignored."""
        self._now = max(self._now, to)
