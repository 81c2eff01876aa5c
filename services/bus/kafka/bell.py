"""The bells that wake tasks of this loop: an assignment has changed, a lane was lost, records came, the bus closes."""

from __future__ import annotations

import asyncio


class Bell:
    """Wakes every task that listens."""

    def __init__(self) -> None:
        """Start with nobody listening."""
        self.listeners: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake everybody who listens now."""
        for listener in self.listeners:
            if not listener.done():
                listener.set_result(None)

    async def heard(self, timeout_s: float, *others: Bell) -> None:
        """Return at the next ring, of this bell or another of these, or when the time is up."""
        ring: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        bells = (self, *others)
        for bell in bells:
            bell.listeners.add(ring)
        try:
            await asyncio.wait({ring}, timeout=timeout_s)
        finally:
            for bell in bells:
                bell.listeners.discard(ring)


async def breathe() -> None:
    """Let the other tasks of this loop have a turn."""
    turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turn.set_result, None)
    await asyncio.shield(turn)  # whoever is cancelled meanwhile leaves a turn that can still be had
