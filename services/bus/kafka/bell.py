"""The bell that wakes tasks of this loop: an assignment has changed, a lane was lost, the bus closes."""

from __future__ import annotations

import asyncio


class Bell:
    """Wakes every task that listens."""

    def __init__(self) -> None:
        """Start with nobody listening."""
        self._ring = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who listens now."""
        self._ring.set()
        self._ring = asyncio.Event()

    async def heard(self, timeout_s: float) -> None:
        """Return at the next ring or when the time is up."""
        ring = asyncio.ensure_future(self._ring.wait())
        try:
            await asyncio.wait({ring}, timeout=timeout_s)
        finally:
            ring.cancel()
