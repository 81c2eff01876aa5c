"""Letting time pass where time is what a test is about: an outage, a session, an idle spell."""

from __future__ import annotations

import asyncio


async def nap(seconds: float) -> None:
    """Let time pass."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)
