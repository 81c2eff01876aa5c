"""One virtual day: take the smallest wake-up, let the poller work, drain the others to a fixed point, advance.

The driver is the only holder of virtual time, and all it knows of the services is the seam. Demo, replay and tests
run on it; the order of its calls is why the same tape gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.bus.loop import Progress

if TYPE_CHECKING:
    from datetime import datetime

    from services.bus.loop import Service
    from services.clock import VirtualClock

# Services feed only the ones after them, so a handful of rounds settles any instant; more is a loop.
ROUNDS_MAX = 1_000

Pace = Callable[["datetime"], Awaitable[bool]]
"""Called before each advance with the moment to come; False stops the day there."""


class NeverSettles(RuntimeError):  # noqa: N818 - says what happened
    """Services kept producing work for each other at one instant."""


@dataclass(frozen=True, slots=True)
class Day:
    """What a run of the driver did. ``finished`` is False when the pace stopped it before the end."""

    reached: datetime
    instants: int
    finished: bool


async def at_once(_moment: datetime) -> bool:
    """Advance without waiting: the pace of ``--speed max``, replay and tests."""
    return True


async def settle(services: Sequence[Service], now: datetime) -> Progress:
    """Drain services, in order, until none of them moves."""
    total = Progress()
    for _ in range(ROUNDS_MAX):
        moved = Progress()
        for service in services:
            moved += await service.drain(now)
        if not moved.moved:
            return total
        total += moved
    message = f"{', '.join(service.name for service in services)} do not settle at {now}"
    raise NeverSettles(message)


async def play(
    poller: Service, others: Sequence[Service], clock: VirtualClock, end: datetime, pace: Pace = at_once
) -> Day:
    """Play from the clock's moment up to, not including, ``end``."""
    everyone = (poller, *others)
    instants = 0
    while True:
        now = clock.now()
        await poller.drain(now)
        await settle(others, now)
        instants += 1
        following = min((due for service in everyone if (due := service.next_wakeup())), default=None)
        if following is None or following >= end:
            return Day(now, instants, finished=True)
        if not await pace(max(following, now)):
            return Day(now, instants, finished=False)
        clock.advance(following)
