"""How long each call of the log took, and whether one was past its bound: written down at once, for kill -9 may come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from services.bus.kafka.engine import ASK_S, CLOSE_S, SPREAD_S, VISIBLE_S
from services.bus.kafka.lanes import COMMIT_S
from services.bus.kafka.membership import JOIN_S
from services.bus.kafka.producers import START_S
from services.bus.kafka.reader import REST_S, STALL_S

T = TypeVar("T")

SLOW_S = 1.0
"""What is quicker is not worth a line."""
SLACK_S = 6.0
"""Processes of a busy machine are not woken at once."""
LOOK_S = VISIBLE_S + ASK_S
FILL_S = ASK_S + STALL_S
DEMAND_S = SPREAD_S + ASK_S
BOUNDS_S = {
    "open": ASK_S + 2 * CLOSE_S,
    "join": DEMAND_S + ASK_S + JOIN_S + 2 * CLOSE_S,
    "lanes": 2 * (START_S + ASK_S),  # a rebalance during a take-over leads to another
    "poll": LOOK_S + FILL_S,
    "restore": LOOK_S + ASK_S + FILL_S + CLOSE_S,
    "commit": COMMIT_S,
    "wait": REST_S + ASK_S,
    "append": DEMAND_S + 2 * (START_S + COMMIT_S),  # as one batch, or else as a transaction
    "close": 5 * CLOSE_S,
}
"""The most that each call may take, from the adapter's own bounds; `wait` has its own time on top."""


class Calls:
    """Writes a line for each slow call, and one for a call that is not over when its bound is."""

    def __init__(self, path: Path | None) -> None:
        """Take the file; without one nothing is written."""
        self._path = path

    @contextmanager
    def timed(self, name: str, extra_s: float = 0.0) -> Iterator[None]:
        """Time a block that does nothing but call the log."""
        loop = asyncio.get_running_loop()
        bound, begun = BOUNDS_S[name] + extra_s + SLACK_S, loop.time()
        late = loop.call_later(bound, self._write, f"{name} late {bound:g}")
        try:
            yield
        finally:
            late.cancel()
            if (took := loop.time() - begun - extra_s) > SLOW_S:
                self._write(f"{name} took {took:.1f}")

    async def of(self, name: str, call: Awaitable[T], extra_s: float = 0.0) -> T:
        """Time one call."""
        with self.timed(name, extra_s):
            return await call

    def _write(self, line: str) -> None:
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(f"{line}\n")


def slowest(paths: list[Path]) -> dict[str, float]:
    """Return the longest time of each call that was ever slow; AssertionError for one that was late."""
    lines = [line.split() for path in paths if path.exists() for line in path.read_text().splitlines()]
    assert not (late := [line for line in lines if line[1] == "late"]), late
    found: dict[str, float] = {}
    for name, _, seconds in lines:
        found[name] = max(found.get(name, 0.0), float(seconds))
    return found
